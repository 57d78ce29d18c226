// The background jobs: when they ran, what they did, and a way to run one now.

import { get, send } from "./api.js";
import { prepareDialog, showDialog } from "./dialog.js";
import { element, pill, reconcile } from "./element.js";
import { formatCount, humanize } from "./format.js";
import { toast, toastError } from "./toast.js";
import { jobWords } from "./words.js";

/** The list of jobs, in its dialog. */
export class Jobs {
    #dialog = document.getElementById("jobs-dialog");
    #clock;

    constructor(clock) {
        this.#clock = clock;
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
        const { jobs } = await get("/api/jobs", { signal });
        const note = document.getElementById("jobs-empty");
        note.hidden = jobs.length > 0;
        note.textContent = "No background job is set up.";
        reconcile(document.getElementById("jobs"), jobs, (job) => job.id,
            (job) => this.#createJob(job), (item, job) => this.#showJob(item, job));
    }

    #createJob({ id }) {
        const { name, purpose } = jobWords(id);
        return element("li", { class: "job" },
            element("div", { class: "job__name" }, element("h3", {}, name), element("p", {}, purpose)),
            element("div", { class: "job__state" }),
            element("dl", { class: "job__runs" }),
            element("button", { class: "btn btn--small", type: "button", "aria-label": `Run ${name} now`, on: { click: () => this.#trigger(id, name) } }, "Run now"));
    }

    #showJob(item, job) {
        const { zone } = this.#clock;
        const failed = /fail|error|crash/.test(job.last_outcome ?? "");
        const counts = Object.entries(job.last_counts ?? {}).filter(([, count]) => typeof count === "number" && count > 0)
            .map(([what, count]) => `${humanize(what).toLowerCase()} ${formatCount(count)}`);
        const outcome = job.last_outcome ? humanize(job.last_outcome) : "";
        const entry = (label, value) => element("div", {}, element("dt", {}, label), element("dd", {}, value));
        item.querySelector(".job__state").replaceChildren(
            job.status === "running" ? pill({ label: "Running", tone: "live" })
                : failed ? pill({ label: outcome, tone: "bad" }) : pill({ label: humanize(job.status), tone: "quiet" }));
        item.querySelector(".job__runs").replaceChildren(
            entry("Last run", job.last_run ? `${zone.format(job.last_run)}${counts.length ? ` · ${counts.join(", ")}` : ""}` : "Never"),
            entry("Next run", job.next_run ? zone.format(job.next_run) : "Not planned"));
    }

    async #trigger(id, name) {
        try {
            await send("POST", `/api/jobs/${encodeURIComponent(id)}/trigger`);
            toast(`${name} runs in a moment.`);
        } catch (error) {
            toastError(error);
        }
    }
}
