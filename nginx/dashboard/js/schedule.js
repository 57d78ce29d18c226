// Planning calls for later: to many leads in batches, with a look at who will be called when.

import { send } from "./api.js";
import { FormDialog, fieldError } from "./dialog.js";
import { element, icon } from "./element.js";
import { formatCount, formatDuration, plural } from "./format.js";
import { reasonList } from "./schedules.js";
import { parseTime } from "./time.js";
import { toast } from "./toast.js";
import { verdicts } from "./upload.js";
import { reasonWords } from "./words.js";

const PATH = "/api/schedule-bulk-calls";
const PREVIEW_DELAY_MS = 300;
const SHOWN_LEADS = 200;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** How long a schedule takes: `estimated_completion = start + ceil(leads / parallel) × interval`. Seconds. */
export function planOf(leads, parallel, interval) {
    const batches = Math.ceil(leads / parallel);
    return { batches, seconds: batches * interval };
}

/** Puts shortcuts such as "Tomorrow 10:00 AM" under a time field. */
export function offerTimes(input, clock) {
    const now = clock.now ?? Date.now();
    const { zone } = clock;
    const today = zone.inputValue(now).slice(0, 10);
    const tomorrow = zone.inputValue(now + DAY_MS).slice(0, 10);
    const times = [
        ["In 10 minutes", zone.inputValue(now + 10 * MINUTE_MS)],
        ["In 1 hour", zone.inputValue(now + 60 * MINUTE_MS)],
        ["Today 5:00 PM", `${today}T17:00`],
        ["Tomorrow 10:30 AM", `${tomorrow}T10:30`],
    ].filter(([, value]) => value > zone.inputValue(now));
    const row = document.querySelector(`[data-choices=${input.name}]`);
    row.replaceChildren(...times.map(([label, value]) => element("button", { class: "choice", type: "button", on: { click: () => {
        input.value = value;
        input.dispatchEvent(new Event("input", { bubbles: true }));
    } } }, label)));
    for (const label of document.querySelectorAll("[data-zone]")) label.textContent = zone.label;
}

/** The form that plans calls to many leads. `changed()` runs once a plan was taken. */
export class ScheduleForm {
    #clock;
    #changed;
    #form = new FormDialog(document.getElementById("schedule-dialog"));
    #leads = [];
    #timer = null;
    #asking = null;

    /** How many calls the server makes at once. */
    lineLimit = 5;

    constructor(clock, changed) {
        this.#clock = clock;
        this.#changed = changed;
        const dialog = document.getElementById("schedule-dialog");
        dialog.querySelector("form").addEventListener("input", () => this.#show());
        dialog.addEventListener("close", () => this.#forget());
    }

    /** Plans calls for these leads; `done()` runs once the server has taken the plan. */
    open(uuids, done) {
        const { zone, now } = this.#clock;
        this.#leads = uuids;
        document.getElementById("schedule-title").textContent = `Schedule ${plural(uuids.length, "call")}`;
        offerTimes(this.#form.fields.schedule_time, this.#clock);
        this.#form.open({
            schedule_time: zone.inputValue((now ?? Date.now()) + 10 * MINUTE_MS), parallel_calls: this.lineLimit, batch_interval: 120,
        }, async (values) => {
            const time = this.#clock.zone.fromInput(values.schedule_time);
            const [parallel, interval] = [Number(values.parallel_calls), Number(values.batch_interval)];
            if (!time) throw fieldError("schedule_time", "Choose a day and a time.");
            if (!(Number.isInteger(parallel) && parallel > 0)) throw fieldError("parallel_calls", "Enter a whole number, 1 or more.");
            if (!(Number.isInteger(interval) && interval > 0)) throw fieldError("batch_interval", "Enter whole seconds, 1 or more.");
            const { body } = await send("POST", PATH, this.#plan);
            toast(`${plural(body.total_leads, "call")} scheduled for ${this.#clock.zone.format(time)}.`,
                { details: [`Should be through by ${this.#clock.zone.format(body.estimated_completion)}.`] });
            done();
            this.#changed();
        });
        this.#show();
    }

    /** What the form says, as the server takes it; null while it is not complete. */
    get #plan() {
        const { schedule_time: time, parallel_calls: parallel, batch_interval: interval } = this.#form.fields;
        const start = this.#clock.zone.fromInput(time.value);
        const [size, seconds] = [Number(parallel.value), Number(interval.value)];
        if (!start || !(Number.isInteger(size) && size > 0) || !(Number.isInteger(seconds) && seconds > 0)) return null;
        return { lead_uuids: this.#leads, schedule_time: start, parallel_calls: size, batch_interval: seconds };
    }

    #forget() {
        clearTimeout(this.#timer);
        this.#asking?.abort();
        this.#asking = null;
    }

    // At once what can be computed here, a moment later what only the server knows: who will be called, and when.
    #show() {
        this.#forget();
        const plan = this.#plan;
        this.#showSummary(plan);
        if (!plan) return preview().replaceChildren();
        preview().setAttribute("aria-busy", "true");
        this.#timer = setTimeout(() => this.#ask(plan), PREVIEW_DELAY_MS);
    }

    #showSummary(plan, { first_call: first, estimated_completion: end } = {}) {
        const list = document.getElementById("schedule-plan");
        if (!plan) return list.replaceChildren();
        const { zone } = this.#clock;
        const { parallel_calls: size, batch_interval: interval, schedule_time: start } = plan;
        const { batches, seconds } = planOf(this.#leads.length, size, interval);
        const entry = (label, value) => element("div", {}, element("dt", {}, label), element("dd", {}, value));
        list.replaceChildren(
            entry("Calls", formatCount(this.#leads.length)),
            entry("Batches", batches === 1 ? "1, all at once" : `${formatCount(batches)}, one every ${formatDuration(interval)}`),
            entry(first ? "First call" : "Starts", zone.format(first ?? start)),
            entry("Through by about", zone.format(end ?? zone.iso(parseTime(start).epoch + seconds * 1000))));
        if (size > this.lineLimit) {
            list.append(element("p", { class: "plan__note" }, `There are ${plural(this.lineLimit, "line")}: the other calls of a batch wait for a free one.`));
        }
    }

    async #ask(plan) {
        const asking = new AbortController();
        this.#asking = asking;
        try {
            const { body } = await send("POST", `${PATH}?dry_run=true`, plan, { signal: asking.signal });
            this.#showSummary(plan, body);
            this.#showPreview(body);
        } catch (error) {
            if (asking.signal.aborted) return;
            preview().replaceChildren(element("p", { class: "note", data: { tone: "warn" } }, icon("warning"), element("span", {}, error.message)));
        } finally {
            if (!asking.signal.aborted) preview().removeAttribute("aria-busy");
        }
    }

    #showPreview({ will_be_called: called, will_not_be_called: left, reasons = {}, leads = [] }) {
        const sentences = Object.fromEntries(leads.filter(({ code, error }) => code && error).map(({ code, error }) => [code, error]));
        preview().replaceChildren(...[
            verdicts([
                ["good", called, "will be called"],
                left ? ["bad", left, "will not be called"] : null,
            ]),
            left ? element("ul", { class: "reasons" }, reasonList(reasons, sentences)) : null,
            leads.length ? element("details", { class: "disclosure" }, element("summary", {}, "Each lead's time"), this.#times(leads)) : null,
        ].filter(Boolean));
    }

    #times(leads) {
        const { zone } = this.#clock;
        // Those that will not be called first: they are why somebody looks.
        const rows = [...leads].sort((one, other) => Boolean(one.planned_time) - Boolean(other.planned_time)).slice(0, SHOWN_LEADS);
        return element("div", { class: "mini-table" }, element("table", {},
            element("thead", {}, element("tr", {}, ["Lead", "Planned"].map((label) => element("th", { scope: "col" }, label)))),
            element("tbody", {}, rows.map(({ name, planned_time: time, timezone, error, code }) => element("tr", {},
                element("td", {}, name || "Without a name"),
                element("td", {}, time ? zone.formatBeside(time, timezone) : error ?? reasonWords(code)))))),
        leads.length > rows.length ? element("p", { class: "field__hint" }, `And ${formatCount(leads.length - rows.length)} more.`) : null);
    }
}

function preview() {
    return document.getElementById("schedule-preview");
}
