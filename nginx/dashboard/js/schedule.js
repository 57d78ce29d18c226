// Calls for later: planning them, watching them, calling them off; and when a missed lead is tried again.

import { get, send } from "./api.js";
import { FormDialog, confirm, fieldError, prepareDialog, showDialog } from "./dialog.js";
import { element, pill, reconcile } from "./element.js";
import { formatCount, formatDuration, humanize, plural, sentenceList } from "./format.js";
import { parseTime } from "./time.js";
import { toast, toastError } from "./toast.js";

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

/** The schedule form and the list of schedules. `changed()` runs after a change. */
export class Schedules {
    #clock;
    #changed;
    #form = new FormDialog(document.getElementById("schedule-dialog"));
    #list = document.getElementById("schedules-dialog");
    #leads = 0;
    #lineLimit = 5;

    constructor(clock, changed) {
        this.#clock = clock;
        this.#changed = changed;
        prepareDialog(this.#list);
        document.querySelector("#schedule-dialog form").addEventListener("input", () => this.#showPlan());
    }

    /** How many calls the server makes at once. */
    set lineLimit(limit) {
        this.#lineLimit = limit;
    }

    /** Plans calls for these leads; `done()` runs once the server has taken the plan. */
    plan(uuids, done) {
        const { zone, now } = this.#clock;
        this.#leads = uuids.length;
        document.getElementById("schedule-title").textContent = `Schedule ${plural(uuids.length, "call")}`;
        offerTimes(this.#form.fields.schedule_time, this.#clock);
        this.#form.open({
            schedule_time: zone.inputValue((now ?? Date.now()) + 10 * MINUTE_MS), parallel_calls: this.#lineLimit, batch_interval: 120,
        }, async (values) => {
            const time = this.#clock.zone.fromInput(values.schedule_time);
            const [parallel, interval] = [Number(values.parallel_calls), Number(values.batch_interval)];
            if (!time) throw fieldError("schedule_time", "Choose a day and a time.");
            if (!(Number.isInteger(parallel) && parallel > 0)) throw fieldError("parallel_calls", "Enter a whole number, 1 or more.");
            if (!(Number.isInteger(interval) && interval > 0)) throw fieldError("batch_interval", "Enter whole seconds, 1 or more.");
            const { body } = await send("POST", "/api/schedule-bulk-calls", {
                lead_uuids: uuids, schedule_time: time, parallel_calls: parallel, batch_interval: interval,
            });
            toast(`${plural(body.total_leads, "call")} scheduled for ${this.#clock.zone.format(time)}.`,
                { details: [`Should be through by ${this.#clock.zone.format(body.estimated_completion)}.`] });
            done();
            this.#changed();
        });
        this.#showPlan();
    }

    /** Opens the list. */
    async open() {
        showDialog(this.#list);
        await this.refresh().catch(toastError);
    }

    /** Fetches the list again if it is on screen. */
    async refresh(signal) {
        if (!this.#list.open) return;
        const { schedules } = await get("/api/scheduled-bulk-calls", { signal });
        const note = document.getElementById("schedules-empty");
        note.hidden = schedules.length > 0;
        note.textContent = "Nothing is scheduled. Select leads in the table, then choose Schedule.";
        reconcile(document.getElementById("schedules"), schedules, (schedule) => schedule.schedule_id,
            () => element("li", { class: "schedule" }), (item, schedule) => this.#showSchedule(item, schedule));
    }

    #showPlan() {
        const plan = document.getElementById("schedule-plan");
        const { schedule_time: time, parallel_calls: parallel, batch_interval: interval } = this.#form.fields;
        const start = this.#clock.zone.fromInput(time.value);
        const [size, seconds] = [Number(parallel.value), Number(interval.value)];
        if (!start || !(size > 0) || !(seconds > 0)) return plan.replaceChildren();
        const { batches, seconds: length } = planOf(this.#leads, size, seconds);
        const end = this.#clock.zone.iso(parseTime(start).epoch + length * 1000);
        const entry = (label, value) => element("div", {}, element("dt", {}, label), element("dd", {}, value));
        plan.replaceChildren(
            entry("Calls", formatCount(this.#leads)),
            entry("Batches", batches === 1 ? "1, all at once" : `${formatCount(batches)}, one every ${formatDuration(seconds)}`),
            entry("Starts", this.#clock.zone.format(start)),
            entry("Through by about", this.#clock.zone.format(end)));
        if (size > this.#lineLimit) {
            plan.append(element("p", { class: "plan__note" }, `There are ${plural(this.#lineLimit, "line")}: the other calls of a batch wait for a free one.`));
        }
    }

    #showSchedule(item, schedule) {
        const { zone } = this.#clock;
        const open = ["pending", "running", "paused"].includes(schedule.status);
        const tone = { running: "live", completed: "good", paused: "warn", pending: "info" }[schedule.status] ?? "quiet";
        const done = (schedule.dialed ?? 0) + (schedule.skipped ?? 0);
        const counts = [
            [`${formatCount(schedule.dialed ?? 0)} dialed`, true], [`${formatCount(schedule.reached)} reached`, schedule.reached],
            [`${formatCount(schedule.skipped)} skipped`, schedule.skipped], [`${formatCount(schedule.waiting)} waiting`, schedule.waiting],
        ].filter(([, isShown]) => isShown).map(([text]) => text);
        item.replaceChildren(
            element("div", { class: "schedule__head" },
                element("h3", {}, `${plural(schedule.total_leads, "call")}, ${zone.format(schedule.scheduled_time)}`),
                pill({ label: humanize(schedule.status), tone })),
            element("progress", { max: schedule.total_leads || 1, value: done, "aria-label": `${done} of ${schedule.total_leads} done` }),
            element("p", { class: "schedule__counts" }, counts.join(" · ")),
            element("p", { class: "schedule__facts" },
                `${plural(schedule.parallel_calls, "call")} at a time, a batch every ${formatDuration(schedule.batch_interval)}. `
                + (open && schedule.estimated_completion ? `Through by about ${zone.format(schedule.estimated_completion)}.` : `Created ${zone.format(schedule.created_at)}.`)),
            open ? element("button", { class: "btn btn--small", type: "button", on: { click: () => this.#cancel(schedule) } }, "Cancel the rest") : "");
    }

    async #cancel(schedule) {
        const sure = await confirm({
            title: "Cancel this schedule?",
            text: "Calls that are not dialed yet are cancelled. Calls in progress go on.",
            action: "Cancel the rest",
        });
        if (!sure) return;
        try {
            const { body } = await send("POST", `/api/cancel-bulk-schedule/${encodeURIComponent(schedule.schedule_id)}`);
            if (body.cancelled) toast(`${plural(body.not_dialed ?? 0, "call")} cancelled, ${formatCount(body.already_dialed ?? 0)} were already dialed.`);
            else toast("This schedule was already over.", { tone: "info" });
        } catch (error) {
            toastError(error);
        }
        await this.refresh().catch(toastError);
        this.#changed();
    }
}

/** The form for how often, and after how long, a missed lead is called again. */
export class RetrySettings {
    #form = new FormDialog(document.getElementById("retry-dialog"));

    constructor() {
        document.querySelector("#retry-dialog form").addEventListener("input", () => this.#showSentence());
    }

    /** Opens with the settings in force. */
    async open() {
        let settings;
        try {
            settings = await get("/api/retry-config");
        } catch (error) {
            return toastError(error);
        }
        this.#form.open({ ...settings, retry_intervals: settings.retry_intervals.join(", ") }, async (values) => {
            const intervals = parseIntervals(values.retry_intervals);
            if (!intervals) throw fieldError("retry_intervals", "Enter numbers separated by commas, such as 1, 4, 24.");
            const count = Number(values.max_retry_count);
            if (values.max_retry_count === "" || !Number.isInteger(count) || count < 0) throw fieldError("max_retry_count", "Enter a whole number, 0 or more.");
            await send("POST", "/api/retry-config", { max_retry_count: count, retry_intervals: intervals, retry_units: values.retry_units });
            toast("The retry settings were saved.");
        });
        this.#showSentence();
    }

    #showSentence() {
        const { max_retry_count: count, retry_intervals: list, retry_units: units } = this.#form.fields;
        const intervals = parseIntervals(list.value);
        document.getElementById("retry-sentence").textContent = intervals ? retrySentence(Number(count.value), intervals, units.value) : "";
    }
}

/** `"1, 4, 24"` → `[1, 4, 24]`, or null if that is not a list of positive numbers. */
export function parseIntervals(text) {
    const numbers = text.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
    return numbers.every((number) => Number.isFinite(number) && number > 0) ? numbers : null;
}

/** What the retry settings mean, in a sentence; the last waiting time is used again when there are more retries. */
export function retrySentence(count, intervals, units) {
    if (!(count > 0)) return "A lead that was not reached is not called again.";
    const waits = Array.from({ length: Math.min(count, 6) }, (_, index) => intervals[Math.min(index, intervals.length - 1)]);
    return `Called again ${sentenceList(waits.map((wait) => `${wait}`))} ${units} after the miss before, ${plural(count, "time")} at most.`;
}
