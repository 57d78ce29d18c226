// Uploading a list of leads: choose, look at what the server made of it, import, see the result.

import { get, upload } from "./api.js";
import { prepareDialog, showDialog } from "./dialog.js";
import { saveFile } from "./download.js";
import { element, icon } from "./element.js";
import { formatCount, formatPhone, plural, sentenceList } from "./format.js";
import { toast } from "./toast.js";
import { columnLabel } from "./words.js";

const PATH = "/api/leads/bulk-upload";
const PREVIEW_COLUMNS = ["name", "number", "email", "whatsapp_number", "partner"];
const SHOWN_ERRORS = 100;
const COUNT_MS = 700;

/** The upload dialog. `changed()` runs after rows were added. */
export class Upload {
    #dialog = document.getElementById("upload-dialog");
    #body = document.getElementById("upload-body");
    #foot = document.getElementById("upload-foot");
    #input = document.getElementById("upload-file");
    #changed;
    #transfer = null;
    #isImporting = false;

    constructor(changed) {
        this.#changed = changed;
        prepareDialog(this.#dialog, () => this.#transfer?.abort());
        // Leaving in the middle of an import would leave people guessing what was stored.
        this.#dialog.addEventListener("cancel", (event) => this.#isImporting && event.preventDefault());
        this.#input.addEventListener("change", () => {
            const [file] = this.#input.files;
            this.#input.value = "";
            if (file) this.#preview(file);
        });
        this.#acceptDrops();
    }

    /** Opens at the first step, or with a file that was dropped on the page. */
    open(file = null) {
        if (this.#isImporting) return;
        showDialog(this.#dialog);
        if (file) this.#preview(file);
        else this.#choose();
    }

    #acceptDrops() {
        const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
        let depth = 0;      // dragleave also fires between children
        const mark = () => document.documentElement.classList.toggle("is-dragging", depth > 0);
        addEventListener("dragenter", (event) => { if (hasFiles(event)) { depth += 1; mark(); } });
        addEventListener("dragleave", (event) => { if (hasFiles(event)) { depth -= 1; mark(); } });
        addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
        addEventListener("drop", (event) => {
            if (!hasFiles(event)) return;
            event.preventDefault();
            depth = 0;
            mark();
            const [file] = event.dataTransfer.files;
            if (file) this.open(file);
        });
    }

    #step(content, ...buttons) {
        this.#body.replaceChildren(...content.filter(Boolean));
        this.#foot.replaceChildren(...buttons.filter(Boolean));
        this.#foot.hidden = this.#foot.childElementCount === 0;
        this.#dialog.querySelector("[data-close]").disabled = this.#isImporting;
    }

    #button(label, action, kind = "") {
        return element("button", { class: `btn ${kind}`.trim(), type: "button", on: { click: action } }, label);
    }

    #choose(problem = null) {
        this.#step([
            problem && element("p", { class: "note", data: { tone: "bad" }, role: "alert" }, icon("warning"), element("span", {}, problem)),
            dropZone(() => this.#input.click()),
        ]);
        this.#body.querySelector("button")?.focus();
    }

    async #preview(file) {
        this.#progress(`Reading ${file.name}`);
        this.#transfer = upload(`${PATH}?dry_run=true`, file, (share) => this.#showProgress(share));
        try {
            const answer = await this.#transfer.promise;
            this.#showPreview(file, answer);
        } catch (error) {
            if (this.#dialog.open && error.code !== "cancelled") this.#choose(error.message);
        } finally {
            this.#transfer = null;
        }
    }

    #showPreview(file, answer) {
        const good = answer.rows_added;
        const errors = answer.errors ?? [];
        this.#step([
            element("p", { class: "upload__file" }, icon("list"), element("strong", {}, file.name), ` · ${plural(answer.rows_read, "row")}`),
            verdicts([
                ["good", good, good === 1 ? "row is ready" : "rows are ready"],
                answer.duplicates ? ["quiet", answer.duplicates, answer.duplicates === 1 ? "is a duplicate" : "are duplicates"] : null,
                ["bad", problems(answer), "cannot be imported"],
            ]),
            columnsSection(answer),
            errors.length ? this.#errorsSection(file, answer) : null,
            answer.preview?.length ? previewSection(answer.preview, good, file) : null,
        ], this.#button("Choose another file", () => this.#choose()),
        this.#button(good ? `Import ${plural(good, "lead")}` : "Nothing to import", () => this.#import(file, good), "btn--primary"));
        const confirm = this.#foot.lastElementChild;
        confirm.disabled = good === 0;
        confirm.id = "upload-confirm";
        confirm.focus();
    }

    async #import(file, rows) {
        this.#isImporting = true;
        this.#progress(`Importing ${file.name}`);
        const counting = this.#countStored(rows, await countLeads());
        this.#transfer = upload(PATH, file, () => {});
        try {
            const answer = await this.#transfer.promise;
            this.#isImporting = false;
            this.#showResult(file, answer);
            this.#changed();
        } catch (error) {
            this.#isImporting = false;
            this.#choose(`${error.message} Uploading the same file again is safe: rows that were stored are recognised.`);
        } finally {
            clearInterval(counting);
            this.#transfer = null;
        }
    }

    // Rows are stored while the file arrives: how many leads there are says how far it is.
    #countStored(rows, before) {
        return setInterval(async () => {
            const stored = Math.min(rows, await countLeads() - before);
            const bar = document.getElementById("upload-bar");
            if (!bar || !(stored > 0)) return;
            bar.max = rows;
            bar.value = stored;
            document.getElementById("upload-share").textContent = `· ${formatCount(stored)} of ${formatCount(rows)}`;
        }, COUNT_MS);
    }

    #showResult(file, answer) {
        const errors = answer.errors ?? [];
        this.#step([
            element("div", { class: "upload__done" }, icon("check"),
                element("h3", {}, `${plural(answer.rows_added, "lead")} added`),
                element("p", {}, resultSentence(answer))),
            errors.length ? this.#errorsSection(file, answer) : null,
        ], this.#button("Upload another file", () => this.#choose()),
        this.#button("Done", () => this.#dialog.close(), "btn--primary"));
        this.#foot.lastElementChild.focus();
    }

    #progress(label) {
        this.#step([element("div", { class: "upload__progress" },
            element("p", {}, label, " ", element("span", { id: "upload-share" })),
            element("progress", { id: "upload-bar", max: 1, "aria-label": label }))]);
    }

    #showProgress(share) {
        const bar = document.getElementById("upload-bar");
        if (!bar) return;
        const isSent = share >= 1;
        if (isSent) bar.removeAttribute("value");       // sent; how long the server takes is not known
        else bar.value = share;
        document.getElementById("upload-share").textContent = isSent ? "· checking every row" : `· ${Math.round(share * 100)}%`;
    }

    #errorsSection(file, answer) {
        const errors = answer.errors;
        const rows = errors.slice(0, SHOWN_ERRORS).map(({ line, column, error }) => element("tr", {},
            element("td", { class: "numeric" }, String(line ?? "")), element("td", {}, column ? columnLabel(column) : ""), element("td", {}, error)));
        const hidden = errors.length - rows.length;
        return element("section", { class: "upload__section" },
            element("div", { class: "upload__section-head" },
                element("h3", {}, "Rows with a problem"),
                element("button", { class: "btn btn--small", type: "button", id: "download-rejected", on: { click: ({ currentTarget }) => downloadRejected(file, errors, currentTarget) } },
                    icon("download"), "Download as CSV")),
            element("div", { class: "mini-table" }, element("table", {},
                element("thead", {}, element("tr", {}, [lineLabel(file), "Column", "Problem"].map((label) => element("th", { scope: "col" }, label)))),
                element("tbody", {}, rows))),
            hidden > 0 ? element("p", { class: "field__hint" }, `And ${formatCount(hidden)} more, all in the download.`) : null,
            answer.errors_truncated ? element("p", { class: "note", data: { tone: "warn" } }, icon("warning"), element("span", {},
                `Only the first ${formatCount(errors.length)} problems are listed, here and in the download. So many usually have one cause: look at the columns.`)) : null);
    }
}

// What the number of a row stands beside: an editor numbers lines, a spreadsheet numbers rows.
function lineLabel(file) {
    return /\.xlsx$/i.test(file.name) ? "Row" : "Line";
}

// NaN when nobody answers: no number is then shown.
async function countLeads() {
    return get("/api/analytics/summary").then(({ total }) => total, () => NaN);
}

/** Where a file is dropped or chosen; also the heart of the empty page. */
export function dropZone(choose) {
    return element("div", { class: "drop-zone" },
        element("div", { class: "drop-zone__icon" }, icon("upload")),
        element("p", { class: "drop-zone__title" }, "Drop a CSV or Excel file here"),
        element("p", { class: "drop-zone__hint" }, "One row a lead. A column with the phone number is enough; name, email, whatsapp_number and partner are used when they are there."),
        element("div", { class: "drop-zone__buttons" },
            element("button", { class: "btn btn--primary", type: "button", on: { click: choose } }, "Choose a file"),
            element("a", { class: "btn btn--plain", href: "sample-leads.csv", download: "sample-leads.csv" }, icon("download"), "Sample CSV")));
}

/** What an import did beyond adding rows, in words. */
export function resultSentence(answer) {
    const parts = [];
    if (answer.duplicates) parts.push(`${plural(answer.duplicates, "duplicate was", "duplicates were")} left out`);
    const bad = problems(answer);
    if (bad) parts.push(`${plural(bad, "row", "rows")} could not be imported`);
    return parts.length ? `${sentenceList(parts)}.` : "Every row was imported.";
}

// Duplicates are counted on their own and may be listed among the errors too.
function problems({ rows_read: read, rows_added: added, duplicates = 0 }) {
    return Math.max(0, read - added - duplicates);
}

/** Counts with what they count, `[tone, count, label]`; null is left out. */
export function verdicts(list) {
    return element("ul", { class: "verdicts" }, list.filter(Boolean).map(([tone, count, label]) =>
        element("li", { class: "verdict", data: { tone: count ? tone : "quiet" } },
            element("strong", {}, formatCount(count)), element("span", {}, label))));
}

function columnsSection({ columns = {}, ignored_columns: ignored = [] }) {
    return element("section", { class: "upload__section" },
        element("h3", {}, "Columns"),
        element("ul", { class: "mappings" },
            Object.entries(columns).map(([field, header]) => element("li", { class: "mapping" },
                element("span", { class: "mapping__from" }, header), icon("right"), element("span", {}, columnLabel(field))))),
        ignored.length ? element("p", { class: "field__hint" }, `Not used: ${sentenceList(ignored)}.`) : null);
}

function previewSection(rows, total, file) {
    const columns = PREVIEW_COLUMNS.filter((column) => rows.some((row) => row[column]));
    return element("section", { class: "upload__section" },
        element("h3", {}, rows.length < total ? `First ${rows.length} of ${formatCount(total)} good rows` : "Good rows"),
        element("div", { class: "mini-table mini-table--even" }, element("table", {},
            element("thead", {}, element("tr", {}, element("th", { scope: "col" }, lineLabel(file)), columns.map((column) => element("th", { scope: "col" }, columnLabel(column))))),
            element("tbody", {}, rows.map((row) => element("tr", {}, element("td", { class: "numeric" }, String(row.line ?? "")),
                columns.map((column) => element("td", {}, column.endsWith("number") ? formatPhone(row[column]) : row[column] ?? ""))))))));
}

// Beside the page rather than in it: a large file takes a moment.
function downloadRejected(file, errors, button) {
    button.disabled = true;
    button.classList.add("btn--busy");
    const worker = new Worker(new URL("rejected.js", import.meta.url), { type: "module" });
    const end = () => {
        worker.terminate();
        button.disabled = false;
        button.classList.remove("btn--busy");
    };
    worker.addEventListener("message", ({ data: blob }) => {
        saveFile(blob, `${file.name.replace(/\.[^.]*$/, "")}-rejected.csv`);
        end();
    });
    worker.addEventListener("error", () => {
        toast("The list could not be made. The file may have been moved or changed since: choose it again.", { tone: "bad" });
        end();
    });
    worker.postMessage({ file, errors });
}
