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
    callback: "Callback", opt_out: "Opt-out", opt_in: "Opt-in",
};

/** The name of a step of the journey. */
export function nodeWords(node) {
    return NODES[node] ?? humanize(node);
}

const GUARDS = {
    completed: "Spoken to", handed_over: "Handed to a person", declined: "Declined", opted_out: "Opted out", cancelled: "Cancelled", our_fault: "Not their fault",
    needs_person: "Needs a person", number_bad: "Number is dead", retry_left: "Retry left", retries_used_up: "Retries used up", already_written: "Written to before",
    whatsapp_possible: "Possible", whatsapp_impossible: "Not possible", whatsapp_failed: "Failed",
};

/** Why a way of the journey is taken. */
export function guardWords(guard) {
    return GUARDS[guard] ?? humanize(guard);
}

const DECISIONS = {
    dial: "Dialed", held: "Held back", not_called: "Not called", put_back: "Put back", unknown: "Outcome not known yet",
    found: "Found again", callback_promised: "Promised", superseded: "Another call came first", call_ended: "Call ended", opted_in: "Wants contact again",
    unknown_call: "Call of unknown origin", end: "", missed: "Nobody answered", failed: "Not connected", completed: "Spoken to",
};

/** What was decided at a step. */
export function decisionWords(decision) {
    return DECISIONS[decision] ?? guardWords(decision);
}

const CHANNELS = { whatsapp: "WhatsApp", email: "E-mail", call: "Call" };

/** The name of a channel, or of what waits in the outbox. */
export function channelWords(channel) {
    return CHANNELS[channel] ?? humanize(channel);
}

const TEMPLATES = { retry_fallback: "After calls that got no answer", lead_followup: "After the conversation" };

/** What a message from the outbox is for; empty when it has no template. */
export function templateWords(template) {
    return template ? TEMPLATES[template] ?? humanize(template) : "";
}

const DELIVERIES = {
    queued: { label: "Queued", tone: "info", meaning: "Waits to be sent" },
    sending: { label: "Being sent", tone: "live", meaning: "On its way to the provider" },
    dead: { label: "Not delivered", tone: "bad", meaning: "Given up after repeated failures" },
    cancelled: { label: "Called off", tone: "quiet", meaning: "Not sent, because it is not wanted any more" },
};

/** The pill of something in the outbox. */
export function deliveryWords(state) {
    return DELIVERIES[state] ?? { label: humanize(state), tone: "quiet", meaning: "" };
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

// Why somebody is not called: the words of the one gate, and of what can happen to a planned call.
const REASONS = {
    opted_out: "asked not to be contacted", declined: "declined during a call", number_invalid: "number does not exist",
    no_consent: "no recorded consent, which their country requires", call_in_progress: "on a call already",
    outside_calling_hours: "outside calling hours", attempts_used_up: "all attempts used up",
    called_too_recently: "called only a short time ago", contacted_too_often: "called as often as the limits allow",
    no_free_line: "no free line", paused: "calls were paused", completed: "spoken to already", deleted: "deleted",
    superseded: "another call came first", schedule_cancelled: "called off",
};

/** Why a call is not made, as it stands after a number of leads. */
export function reasonWords(code, sentence = null) {
    return REASONS[code] ?? sentence ?? humanize(code).toLowerCase();
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

/** What is paused, until when and why, in one sentence. */
export function pauseSentence({ partner, reason, until }, zone) {
    const whose = partner ? `Calls to leads of ${partner} are paused` : "Calls are paused";
    const end = until ? ` until ${zone.format(until)}` : "";
    return reason ? `${whose}${end}: ${reason}` : `${whose}${end}.`;
}

/** Why the server stopped by itself, and how to find out whether the cause is gone; null when it did not. */
export function breakerHint({ test_call: takesTestCall, breaker }) {
    if (!takesTestCall) return null;
    const percent = breaker?.failure_percent;
    return `${percent ? `Calls stop by themselves when ${percent}% of the last ${breaker.latest_calls} calls fail. ` : ""}`
        + "To test, call one lead: a call that gets through ends the pause.";
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
