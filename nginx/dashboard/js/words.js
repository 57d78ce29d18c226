// The words of the product: what the server's machine words are called on screen.

import { humanize, plural } from "./format.js";

/** Name and tone of each `call_status`; the tone picks the colour of the pill. */
const STATUSES = {
    pending: { label: "Pending", tone: "quiet", meaning: "Not called yet" },
    initiated: { label: "Initiated", tone: "live", meaning: "The call is being placed or rings" },
    answered: { label: "Answered", tone: "talking", meaning: "In conversation now" },
    completed: { label: "Completed", tone: "good", meaning: "The conversation took place" },
    missed: { label: "Missed", tone: "warn", meaning: "Nobody answered" },
    failed: { label: "Failed", tone: "bad", meaning: "The call could not be connected" },
};

/** The wording of a `call_status`. */
export function statusWords(status) {
    return STATUSES[status] ?? { label: humanize(status) || "Unknown", tone: "quiet", meaning: "" };
}

/** Whether a lead with this `call_status` is on a line now. */
export function isOnLine(status) {
    return status === "initiated" || status === "answered";
}

const QUALIFICATION_TONES = { Qualified: "good", Potential: "info", "Not Qualified": "quiet" };

/** The pill tone of a `success_status`. */
export function qualificationTone(status) {
    return QUALIFICATION_TONES[status] ?? "quiet";
}

/** What we know about a lead's number: `{label, tone, meaning}`. */
export function numberWords({ number, number_valid: valid, number_invalid: dead }) {
    if (!number) return { label: "Missing", tone: "bad", meaning: "This lead has no phone number and cannot be called" };
    if (dead) return { label: "Out of service", tone: "bad", meaning: "The phone provider says that this number does not exist" };
    if (valid) return { label: "Valid", tone: "good", meaning: "A valid number of its country" };
    return { label: "Unusual", tone: "warn", meaning: "Possible, but not a known number range of its country" };
}

const CALL_STATES = {
    dialing: "Being placed", queued: "Being placed", ringing: "Ringing", in_progress: "In conversation",
    ended: "Ended", refused: "Refused by the phone provider", not_placed: "Not placed",
};

/** The pill of one call attempt: its outcome when there is one, else the state it is in. */
export function callWords({ state, outcome }) {
    if (outcome) return statusWords(outcome);
    const tone = { in_progress: "talking", refused: "bad", not_placed: "warn", ended: "quiet" }[state] ?? "live";
    return { label: CALL_STATES[state] ?? humanize(state), tone, meaning: "" };
}

const KINDS = {
    callback: "Callback", operator: "Called by hand", retry: "Retry", schedule: "Scheduled call", new: "First call",
};

/** Why a call is made: the wording of a request's `kind`. */
export function kindWords(kind) {
    return KINDS[kind] ?? humanize(kind);
}

const NODES = {
    start: "Started", initiate_call: "Call", check_retry: "Outcome", increment_retry: "Retry",
    whatsapp_fallback: "WhatsApp", email_fallback: "E-mail", end: "Finished",
};

/** The name of a step of the journey. */
export function nodeWords(node) {
    return NODES[node] ?? humanize(node);
}

const JOBS = {
    call_orchestrator: ["Call orchestrator", "Dials what is due"],
    call_reconciler: ["Call reconciler", "Asks the phone provider about calls that went quiet"],
    outbox_courier: ["Outbox courier", "Delivers messages"],
    email_poller: ["E-mail poller", "Reads replies"],
    sheets_sync: ["Sheets sync", "Keeps the Google Sheet current"],
    housekeeping: ["Housekeeping", "Backs up and tidies the database"],
};

/** Name and purpose of a background job. */
export function jobWords(id) {
    const [name, purpose] = JOBS[id.replaceAll("-", "_")] ?? [humanize(id), ""];
    return { name, purpose };
}

const FACTS = {
    country: "Country", university: "University", intake: "Intake", visa_status: "Visa", budget: "Budget",
    success_status: "Qualification", declined: "Asked not to be called", callback_time: "Asked to be called at",
};

/** The label of a field of the structured data. */
export function factLabel(field) {
    return FACTS[field] ?? humanize(field);
}

const INTEGRATIONS = { vapi: "voice calling", whatsapp: "WhatsApp", email: "e-mail", sheets: "Google Sheets" };

/** The name of an outside system, as it stands inside a sentence. */
export function integrationLabel(name) {
    return INTEGRATIONS[name] ?? humanize(name);
}

const COLUMNS = { name: "Name", number: "Phone number", email: "E-mail", whatsapp_number: "WhatsApp number", partner: "Partner" };

/** The label of a column of an upload. */
export function columnLabel(column) {
    return COLUMNS[column] ?? humanize(column);
}

/** What a bulk call did, in one sentence. */
export function bulkCallSentence({ calls_initiated: started = 0, calls_queued: queued = 0, errors = [] }) {
    const parts = [];
    if (started) parts.push(`${plural(started, "call")} started`);
    if (queued) parts.push(`${plural(queued, "lead")} waiting for a free line`);
    if (errors.length) parts.push(`${plural(errors.length, "lead")} not called`);
    return parts.length ? `${parts.join(", ")}.` : "Nothing to call.";
}

/** Reasons with how many leads each one holds back, most frequent first: `[["They opted out.", 3]]`. */
export function reasonCounts(errors) {
    const counts = new Map();
    for (const { error, code } of errors) {
        const reason = error ?? humanize(code);
        counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    return [...counts].sort((one, other) => other[1] - one[1]);
}
