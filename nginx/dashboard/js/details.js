// Everything about one lead: who, what was said, what comes next, and why the system did what it did.

import { APIError, Watch } from "./api.js";
import { prepareDialog, showDialog } from "./dialog.js";
import { element, icon, pill, reconcile, setText } from "./element.js";
import { formatCost, formatDuration, formatPhone, humanize, parseTranscript, webAddress } from "./format.js";
import { drawJourney, journeyGraph } from "./journey.js";
import { leadPath } from "./leads.js";
import { numberBadge } from "./table.js";
import { parseTime } from "./time.js";
import {
    callWords, channelWords, decisionWords, deliveryWords, factLabel, isOnLine, kindWords, nodeWords, qualificationTone, statusWords, templateWords,
} from "./words.js";

const AGENT = "Eshwari";
const ANALYSIS_FACTS = ["country", "university", "intake", "visa_status", "budget"];
const TABS = [["conversation", "Conversation"], ["calls", "Calls"], ["journey", "Journey"], ["messages", "Messages"]];

/** The side panel. `actions`: `call(lead)`, `menu(lead, button)`. */
export class Details {
    #dialog = document.getElementById("details-dialog");
    #root = document.getElementById("details");
    #clock;
    #actions;
    #watch = new Watch();
    #uuid = null;
    #shown = new Map();
    #lead = null;
    #graph = null;

    constructor(clock, actions) {
        this.#clock = clock;
        this.#actions = actions;
        prepareDialog(this.#dialog, () => { this.#uuid = null; });
        this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    }

    /** Opens the panel for a lead whose name is already known. */
    async open({ lead_uuid: uuid, name }) {
        this.#uuid = uuid;
        this.#watch.forget();
        this.#shown.clear();
        this.#build(name);
        showDialog(this.#dialog);
        try {
            await this.refresh();
        } catch (error) {
            this.#showTrouble(error.message);
        }
    }

    /** The lead that is open, or null. */
    get uuid() {
        return this.#uuid;
    }

    /** Closes the panel. */
    close() {
        if (this.#dialog.open) this.#dialog.close();
    }

    /** Fetches the lead again if its panel is open. */
    async refresh(signal) {
        const uuid = this.#uuid;
        if (!uuid) return;
        try {
            const [details] = await Promise.all([this.#watch.read(leadPath(uuid, "details"), { signal }), this.#readGraph()]);
            if (details && uuid === this.#uuid) this.#show(details);
        } catch (error) {
            // Somebody deleted the lead: that is news about the lead, not trouble with the connection.
            if (error instanceof APIError && error.status === 404) {
                this.#showTrouble("This lead has been deleted.");
                this.#part("call").disabled = true;
            } else {
                throw error;
            }
        }
    }

    // The list of steps says everything that the drawing shows, so it does without when there is none.
    async #readGraph() {
        this.#graph = await journeyGraph().catch(() => null);
    }

    #part(name) {
        return this.#root.querySelector(`[data-part=${name}]`);
    }

    // In the place of the parts, which come back with the next answer.
    #showTrouble(sentence) {
        const note = this.#part("trouble");
        note.replaceChildren(...(sentence ? [icon("warning"), element("span", {}, sentence)] : []));
        note.hidden = !sentence;
        this.#part("body").hidden = Boolean(sentence);
    }

    #build(name) {
        const more = element("button", { class: "btn btn--icon", type: "button", "aria-label": "More", "aria-haspopup": "menu", on: {
            click: () => this.#lead && this.#actions.menu(this.#lead, more),
        } }, icon("more"));
        const tabs = TABS.map(([id, label], index) => element("button", {
            class: "tab", type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `tabpanel-${id}`,
            "aria-selected": String(index === 0), tabindex: index === 0 ? "0" : "-1", on: { click: () => this.#choose(id) },
        }, label, element("span", { class: "tab__count", data: { count: id } })));
        this.#root.replaceChildren(
            element("div", { class: "panel__head" },
                element("div", { class: "panel__title" },
                    element("h2", { id: "details-title", tabindex: "-1", autofocus: true }, name || "Lead"), element("p", { class: "panel__pills", data: { part: "pills" } })),
                element("div", { class: "panel__actions" },
                    element("button", { class: "btn btn--primary", type: "button", data: { part: "call" }, disabled: true, on: {
                        click: () => this.#lead && this.#actions.call(this.#lead),
                    } }, icon("phone"), "Call"),
                    more,
                    element("button", { class: "btn btn--plain btn--icon", type: "button", "aria-label": "Close", on: { click: () => this.#dialog.close() } }, icon("close")))),
            element("p", { class: "note panel__trouble", data: { tone: "bad", part: "trouble" }, role: "alert", hidden: true }),
            element("div", { class: "panel__body", data: { part: "body" } },
                element("div", { class: "panel__facts" }, ["analysis", "plan", "contact"].map((part) => element("section", { class: "facts-card", data: { part }, hidden: true }))),
                element("div", { class: "panel__main" },
                    element("div", { class: "tabs", role: "tablist", "aria-label": "About this lead", on: { keydown: (event) => this.#moveTab(event) } }, tabs),
                    TABS.map(([id], index) => element("section", {
                        class: "tabpanel", role: "tabpanel", tabindex: "0", id: `tabpanel-${id}`, "aria-labelledby": `tab-${id}`, data: { part: id }, hidden: index > 0,
                    })))));
    }

    #choose(id) {
        for (const tab of this.#root.querySelectorAll(".tab")) {
            const chosen = tab.id === `tab-${id}`;
            tab.setAttribute("aria-selected", String(chosen));
            tab.tabIndex = chosen ? 0 : -1;
        }
        for (const panel of this.#root.querySelectorAll(".tabpanel")) panel.hidden = panel.id !== `tabpanel-${id}`;
    }

    #moveTab(event) {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const tabs = [...this.#root.querySelectorAll(".tab")];
        const next = tabs.at((tabs.indexOf(document.activeElement) + step) % tabs.length);
        next.focus();
        next.click();
    }

    // A part is drawn again only when what it shows changed: a recording keeps playing, a scrolled transcript stays put.
    #draw(name, content, draw) {
        const key = JSON.stringify([content, this.#clock.zone.label]);
        if (this.#shown.get(name) === key) return;
        this.#shown.set(name, key);
        draw(this.#part(name), content);
    }

    #show(details) {
        const { lead, contact_info: contact, analysis, call_history: calls = [], journey = [], requests = [], messages = [], outbox = [] } = details;
        this.#lead = lead;
        this.#showTrouble(null);
        setText(document.getElementById("details-title"), lead.name || "Without a name");
        const call = this.#part("call");
        call.disabled = isOnLine(lead.call_status);
        this.#draw("pills", [lead.call_status, lead.success_status, lead.opted_out, lead.declined], (node) => node.replaceChildren(
            pill(statusWords(lead.call_status)),
            ...[lead.success_status && pill({ label: lead.success_status, tone: qualificationTone(lead.success_status) }),
                lead.opted_out && pill({ label: "Opted out", tone: "bad", meaning: "Never contacted again, on any channel" }),
                lead.declined && pill({ label: "Asked not to be called", tone: "bad" })].filter(Boolean)));
        this.#draw("analysis", analysis, (node, value) => this.#drawAnalysis(node, value));
        this.#draw("plan", { lead, requests, outbox }, (node, value) => this.#drawPlan(node, value));
        this.#draw("contact", { contact, lead }, (node, value) => this.#drawContact(node, value));
        this.#draw("conversation", { calls, transcript: analysis?.transcript, name: lead.name }, (node, value) => this.#drawConversation(node, value));
        this.#showCalls(calls);
        const waiting = outbox.filter(({ state }) => state !== "sent");      // what was sent is among the messages
        this.#draw("journey", { journey, messages, waiting, graph: this.#graph }, (node, value) => this.#drawJourney(node, value));
        this.#draw("messages", { messages, waiting }, (node, value) => this.#drawMessages(node, value));
        for (const [name, count] of [["calls", calls.length], ["journey", journey.length], ["messages", messages.length + waiting.length]]) {
            setText(this.#root.querySelector(`[data-count=${name}]`), count ? String(count) : "");
        }
    }

    #time(iso) {
        return element("time", { datetime: iso }, this.#clock.zone.format(iso));
    }

    #drawAnalysis(node, analysis) {
        const known = analysis ?? {};
        const shown = new Set([...ANALYSIS_FACTS, "success_status", "declined", "callback_time", "summary"]);
        const structured = Object.entries(known.structured_data ?? {}).filter(([name]) => !shown.has(name));
        const list = [...ANALYSIS_FACTS.map((name) => [name, known[name] ?? known.structured_data?.[name]]), ...structured]
            .filter(([, value]) => value !== null && value !== undefined && value !== "")
            .map(([name, value]) => [factLabel(name), factText(value)]);
        if (known.callback_time) list.push([factLabel("callback_time"), parseTime(known.callback_time) ? this.#time(known.callback_time) : known.callback_time]);
        node.hidden = !known.summary && !list.length;
        node.replaceChildren(element("h3", {}, "What we learned"),
            known.summary ? element("p", { class: "facts-card__summary" }, known.summary) : "", facts(list));
    }

    #drawPlan(node, { lead, requests, outbox }) {
        const open = requests.filter((request) => request.state === "waiting" || request.state === "claimed");
        const mail = outbox.filter(({ state }) => state === "queued" || state === "sending");
        const items = [
            ...open.map((request) => element("li", {}, element("strong", {}, kindWords(request.kind)), " ", this.#time(request.due_at),
                request.reason ? element("span", { class: "facts-card__remark" }, request.reason) : null)),
            ...mail.map((item) => element("li", {}, element("strong", {}, channelWords(item.kind)), " ", this.#time(item.due_at))),
        ];
        node.hidden = false;
        node.replaceChildren(element("h3", {}, "What happens next"),
            lead.next_action ? element("p", { class: "facts-card__summary" }, lead.next_action) : "",
            items.length ? element("ul", { class: "plan-list" }, items) : lead.next_action ? "" : element("p", { class: "empty-note" }, "Nothing is planned."),
            facts([["Retries used", `${lead.retry_count ?? 0} of ${lead.max_retry_count ?? 0}`],
                lead.journey_state ? ["Stage", humanize(lead.journey_state)] : null].filter(Boolean)));
    }

    #drawContact(node, { contact, lead }) {
        node.hidden = false;
        node.replaceChildren(element("h3", {}, "Contact"), facts([
            ["Phone", element("span", { class: "facts__number" }, contact.number_display || formatPhone(contact.number) || "No number", " ", numberBadge(contact))],
            ["E-mail", contact.email], ["WhatsApp", contact.whatsapp_number && formatPhone(contact.whatsapp_number)], ["Partner", contact.partner],
            ["Their time", contact.local_time && [localClock(contact.local_time), contact.timezone].filter(Boolean).join(", ")],
            ["Consent", contact.consent_at && [this.#clock.zone.format(contact.consent_at), contact.consent_source].filter(Boolean).join(", ")],
            ["Wording", contact.consent_text],
            ["Added", lead.created_at && this.#time(lead.created_at)],
        ].filter(([, value]) => value)));
    }

    #drawConversation(node, { calls, transcript, name }) {
        const talks = calls.filter((call) => call.transcript?.length).map((call) => ({ title: this.#callTitle(call), turns: call.transcript }));
        if (!talks.length && transcript) {
            const first = (name ?? "").split(/\s+/)[0];
            talks.push({ title: null, turns: parseTranscript(transcript, [AGENT, first, name, "User", "AI"].filter(Boolean)) });
        }
        node.replaceChildren(...(talks.length
            ? talks.map(({ title, turns }) => element("article", { class: "conversation" },
                title && element("h3", { class: "conversation__title" }, title),
                element("ol", { class: "bubbles" }, turns.map((turn, index) => bubble(turn, turns[index - 1])))))
            : [emptyNote("No conversation yet", "Once the lead has answered a call, what was said stands here.")]));
    }

    #callTitle(call) {
        const duration = formatDuration(call.call_duration);
        return `${this.#clock.zone.format(call.started_at ?? call.created_at)}${call.call_duration ? ` · ${duration}` : ""}`;
    }

    #showCalls(calls) {
        const panel = this.#part("calls");
        let list = panel.querySelector(".calls");
        if (!list) {
            list = element("ol", { class: "calls" });
            panel.replaceChildren(emptyNote("Not called yet", "Every attempt is listed here with its outcome and its recording."), list);
        }
        panel.querySelector(".empty-note-block").hidden = calls.length > 0;
        reconcile(list, calls, (call) => call.attempt_id, () => element("li", { class: "call" }), (item, call) => this.#drawCall(item, call));
    }

    #drawCall(item, call) {
        const recording = call.recording_url && webAddress(call.recording_url);
        const reason = call.reason || (call.ended_reason ? humanize(call.ended_reason) : "");
        item.replaceChildren(
            element("div", { class: "call__head" },
                element("strong", {}, this.#time(call.started_at ?? call.created_at)), pill(callWords(call))),
            element("p", { class: "call__facts" }, [kindWords(call.kind), call.call_duration && formatDuration(call.call_duration),
                call.cost && formatCost(call.cost)].filter(Boolean).join(" · ")),
            reason ? element("p", { class: "call__reason" }, reason) : "",
            call.summary ? element("p", { class: "call__summary" }, call.summary) : "",
            recording ? element("div", { class: "call__recording" },
                element("audio", { controls: true, preload: "none", src: recording, "aria-label": "Recording of the call" }),
                element("a", { href: recording, target: "_blank", rel: "noopener noreferrer", class: "call__link" }, "Open the recording", icon("external"))) : "");
    }

    // Decisions, messages and what waits to be sent, in the order in which they happened.
    #drawJourney(node, { journey, messages, waiting, graph }) {
        const steps = [
            ...journey.map(({ at, node: step, decision, reason }) => ({ at, kind: step, title: nodeWords(step), remark: decisionWords(decision), text: reason })),
            ...messages.map((message) => ({
                at: message.timestamp, kind: "message", title: channelWords(message.channel),
                remark: isInbound(message) ? "Received" : humanize(message.status), text: message.content,
            })),
            ...waiting.map((item) => ({ at: item.due_at, kind: "outbox", title: channelWords(item.kind), remark: templateWords(item.template), state: deliveryWords(item.state) })),
        ].sort((one, other) => (parseTime(one.at)?.epoch ?? 0) - (parseTime(other.at)?.epoch ?? 0));
        node.replaceChildren(...[
            graph ? element("figure", { class: "graph-card" }, drawJourney(graph, journey)) : null,
            steps.length
                ? element("ol", { class: "timeline" }, steps.map((step) => element("li", { class: "timeline__step", data: { node: step.kind } },
                    element("p", { class: "timeline__what" }, element("strong", {}, step.title),
                        step.remark ? element("span", { class: "timeline__decision" }, step.remark) : null, step.state ? pill(step.state) : null),
                    step.text ? element("p", { class: "timeline__reason" }, step.text) : null,
                    element("p", { class: "timeline__time" }, this.#time(step.at)))))
                : emptyNote("Nothing has happened yet", "Every decision about this lead is explained here: why it was called, and why not."),
        ].filter(Boolean));
    }

    #drawMessages(node, { messages, waiting }) {
        const remark = (...parts) => element("p", { class: "bubble__speaker" }, parts.filter(Boolean).join(" · "));
        node.replaceChildren(...[
            messages.length ? element("ol", { class: "bubbles" }, messages.map((message) => element("li", { class: "bubble", data: { side: isInbound(message) ? "lead" : "agent" } },
                element("p", { class: "bubble__text" }, message.content ?? ""),
                remark(channelWords(message.channel), isInbound(message) ? null : humanize(message.status), this.#clock.zone.format(message.timestamp))))) : null,
            waiting.length ? element("ul", { class: "outbox" }, waiting.map((item) => element("li", { class: "outbox__item" },
                element("strong", {}, channelWords(item.kind)), templateWords(item.template), pill(deliveryWords(item.state)), this.#time(item.due_at)))) : null,
            messages.length || waiting.length ? null : emptyNote("No messages", "WhatsApp messages and e-mails with this lead stand here."),
        ].filter(Boolean));
    }
}

function isInbound({ direction }) {
    return direction === "inbound";
}

function bubble({ speaker, text }, before) {
    const isAgent = speaker === AGENT || speaker === "AI";
    const continues = before?.speaker === speaker;
    return element("li", { class: "bubble", data: { side: isAgent ? "agent" : "lead" } },
        continues || !speaker ? null : element("p", { class: "bubble__speaker" }, speaker), element("p", { class: "bubble__text" }, text));
}

function facts(list) {
    if (!list.length) return "";
    return element("dl", { class: "facts" }, list.map(([label, value]) => element("div", { class: "fact" }, element("dt", {}, label), element("dd", {}, value))));
}

function factText(value) {
    if (value === true) return "Yes";
    if (value === false) return "No";
    return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// The lead's own clock: shown without our label, because it is not our zone.
function localClock(iso) {
    const time = parseTime(iso);
    if (!time) return iso;
    return `${time.hour % 12 || 12}:${String(time.minute).padStart(2, "0")} ${time.hour < 12 ? "AM" : "PM"}`;
}

function emptyNote(title, text) {
    return element("div", { class: "empty-note-block" }, element("p", { class: "empty-note-block__title" }, title), element("p", {}, text));
}
