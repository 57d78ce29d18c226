// The schedules there are: how far each is, whom it left out and why, and the ways to hold it, go on or call it off.

import { get, send } from "./api.js";
import { confirm, prepareDialog, showDialog } from "./dialog.js";
import { element, icon, pill, reconcile } from "./element.js";
import { formatCount, formatDuration, humanize, plural } from "./format.js";
import { toast, toastError } from "./toast.js";
import { reasonWords } from "./words.js";

const TONES = { running: "live", completed: "good", paused: "warn", pending: "info" };
const OPEN = ["pending", "running", "paused"];

/** The list of schedules, in its dialog. `changed()` runs after a change. */
export class Schedules {
    #dialog = document.getElementById("schedules-dialog");
    #clock;
    #changed;

    constructor(clock, changed) {
        this.#clock = clock;
        this.#changed = changed;
        prepareDialog(this.#dialog);
    }

    /** Opens the list. */
    async open() {
        showDialog(this.#dialog);
        await this.refresh().catch(toastError);
    }

    /** Fetches the list again if it is on screen. */
    async refresh(signal) {
        if (!this.#dialog.open) return;
        const { schedules } = await get("/api/scheduled-bulk-calls", { signal });
        const note = document.getElementById("schedules-empty");
        note.hidden = schedules.length > 0;
        note.textContent = "No calls are scheduled. Select leads in the table, then choose Schedule.";
        reconcile(document.getElementById("schedules"), schedules, (schedule) => schedule.schedule_id,
            (schedule) => this.#create(schedule), (item, schedule) => this.#show(item, schedule));
    }

    // The buttons stay while the numbers above them change, and with them the focus.
    #create({ schedule_id: id }) {
        const button = (part, label, kind, act) => element("button", {
            class: `btn btn--small ${kind}`.trim(), type: "button", data: { part }, on: { click: act },
        }, part === "hold" ? icon("pause") : part === "resume" ? icon("play") : null, label);
        return element("li", { class: "schedule" },
            element("div", { class: "schedule__head" }, element("h3"), element("span", { data: { part: "status" } })),
            element("progress", {}),
            element("p", { class: "schedule__counts" }),
            element("ul", { class: "reasons" }),
            element("p", { class: "schedule__facts" }),
            element("div", { class: "schedule__buttons" },
                button("hold", "Pause", "", () => this.#act(id, "pause", "The schedule is paused. Calls in progress go on.")),
                button("resume", "Resume", "", () => this.#act(id, "resume", "The schedule goes on.")),
                button("cancel", "Cancel the rest", "btn--plain", () => this.#cancel(id))));
    }

    #show(item, schedule) {
        const { zone } = this.#clock;
        const { status, total_leads: total, dialed = 0, reached = 0, skipped = 0, waiting = 0 } = schedule;
        const isOpen = OPEN.includes(status);
        const part = (name) => item.querySelector(`[data-part=${name}]`);
        item.querySelector("h3").textContent = `${plural(total, "call")}, ${zone.format(schedule.scheduled_time)}`;
        part("status").replaceChildren(pill({ label: humanize(status), tone: TONES[status] ?? "quiet" }));
        const progress = item.querySelector("progress");
        progress.max = total || 1;
        progress.value = dialed + skipped;
        progress.setAttribute("aria-label", `${dialed + skipped} of ${total} done`);
        item.querySelector(".schedule__counts").textContent = [
            [`${formatCount(dialed)} dialed`, true], [`${formatCount(reached)} reached`, reached],
            [`${formatCount(skipped)} not called`, skipped],
            [`${formatCount(waiting)} waiting`, waiting],
            [`${formatCount(total - dialed - skipped)} called off`, status === "cancelled"],
        ].filter(([, isShown]) => isShown).map(([text]) => text).join(" · ");
        item.querySelector(".reasons").replaceChildren(...reasonList(schedule.skipped_reasons ?? {}));
        item.querySelector(".schedule__facts").textContent =
            `${plural(schedule.parallel_calls, "call")} at a time, a batch every ${formatDuration(schedule.batch_interval)}. `
            + (isOpen && schedule.estimated_completion ? `Through by about ${zone.format(schedule.estimated_completion)}.` : `Created ${zone.format(schedule.created_at)}.`);
        // Its own pause, as distinct from the pause of all calls.
        const isHeld = schedule.paused ?? status === "paused";
        item.querySelector(".schedule__buttons").hidden = !isOpen;
        part("hold").hidden = isHeld;
        part("resume").hidden = !isHeld;
    }

    async #act(id, verb, sentence) {
        try {
            await send("POST", `/api/${verb}-bulk-schedule/${encodeURIComponent(id)}`);
            toast(sentence, { tone: "info" });
        } catch (error) {
            toastError(error);
        }
        await this.refresh().catch(toastError);
        // The button that was pressed is gone, its opposite stands in its place.
        this.#dialog.querySelector(`[data-key="${CSS.escape(id)}"] .schedule__buttons button:not([hidden])`)?.focus();
        this.#changed();
    }

    async #cancel(id) {
        const sure = await confirm({
            title: "Cancel this schedule?",
            text: "Calls that are not dialed yet are cancelled. Calls in progress go on.",
            action: "Cancel the rest",
        });
        if (!sure) return;
        try {
            const { body } = await send("POST", `/api/cancel-bulk-schedule/${encodeURIComponent(id)}`);
            if (body.cancelled) toast(`${plural(body.not_dialed ?? 0, "call")} cancelled, ${formatCount(body.already_dialed ?? 0)} were already dialed.`);
            else toast("This schedule was already over.", { tone: "info" });
        } catch (error) {
            toastError(error);
        }
        await this.refresh().catch(toastError);
        this.#changed();
    }
}

/** `{opted_out: 3}` as list items, the most frequent first; `sentences` has the server's wording of codes that are new here. */
export function reasonList(counts, sentences = {}) {
    return Object.entries(counts).sort((one, other) => other[1] - one[1]).map(([code, count]) =>
        element("li", {}, element("strong", {}, plural(count, "lead")), `: ${reasonWords(code, sentences[code])}`));
}
