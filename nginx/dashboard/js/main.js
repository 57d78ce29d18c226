// The dashboard: what is on the page, and how its parts hear of each other.

import { APIError, Watch, get } from "./api.js";
import { Details } from "./details.js";
import { saveFromServer } from "./download.js";
import { element } from "./element.js";
import { Filters } from "./filters.js";
import { formatCount, plural } from "./format.js";
import { Header } from "./header.js";
import { Jobs } from "./jobs.js";
import { openJourney } from "./journey.js";
import { LeadActions } from "./leads.js";
import { openMenu } from "./menu.js";
import { Pauses } from "./pause.js";
import { Refresh } from "./refresh.js";
import { RetrySettings } from "./retries.js";
import { ScheduleForm } from "./schedule.js";
import { Schedules } from "./schedules.js";
import { LeadTable } from "./table.js";
import { Tiles } from "./tiles.js";
import { ServerClock } from "./time.js";
import { toastError } from "./toast.js";
import { Upload, dropZone } from "./upload.js";

/** How long the clock may run on its own: a summary that did not change is answered without the time. */
const CLOCK_CHECK_MS = 60_000;

/** How many leads one bulk call or one schedule may name, and how many one answer lists. */
const SELECTION_LIMIT = 5_000;
const LARGEST_PAGE = 500;

const byId = (id) => document.getElementById(id);

class Dashboard {
    #clock = new ServerClock();
    #summaryWatch = new Watch();
    #listWatch = new Watch();
    #summary = null;
    #list = null;
    #cursors = [null];      // the way to this page: one cursor a page, the last is the one on screen

    #filters = new Filters(() => this.#restart());
    #tiles = new Tiles((filter) => {
        const isShown = Object.entries(filter).every(([name, value]) => this.#filters.value(name) === value);
        if (isShown) this.#filters.set({ status: "", success_status: "" });
        else if (Object.values(filter).every((value) => value === "")) this.#filters.clear();
        else this.#filters.set(filter);
    });
    #actions = new LeadActions(this.#clock, () => this.#refresh.now());
    #table = new LeadTable(this.#clock, {
        open: (lead) => this.#details.open(lead),
        call: (lead) => this.#actions.call(lead),
        menu: (lead, button) => this.#leadMenu(lead, button, true),
        selected: () => this.#showSelection(),
        sort: (column) => this.#sortBy(column),
    });
    #details = new Details(this.#clock, {
        call: (lead) => this.#actions.call(lead),
        menu: (lead, button) => this.#leadMenu(lead, button, false),
    });
    #upload = new Upload(() => this.#refresh.now());
    #scheduleForm = new ScheduleForm(this.#clock, () => this.#refresh.now());
    #schedules = new Schedules(this.#clock, () => this.#refresh.now());
    #retries = new RetrySettings();
    #jobs = new Jobs(this.#clock);
    #pauses = new Pauses(this.#clock, () => this.#refresh.now());
    #header = new Header(this.#clock, this.#pauses, () => this.#refresh.now());
    #refresh = new Refresh({
        work: (signal) => this.#load(signal),
        isLive: () => isLive(this.#summary),
        onState: (state) => this.#showState(state),
    });

    start() {
        byId("upload-leads").addEventListener("click", () => this.#upload.open());
        byId("add-lead").addEventListener("click", () => this.#actions.add());
        byId("next-page").addEventListener("click", () => this.#turnPage(() => this.#cursors.push(this.#list.next_cursor)));
        byId("previous-page").addEventListener("click", () => this.#turnPage(() => this.#cursors.pop()));
        byId("page-size").addEventListener("change", () => this.#restart());
        byId("clear-selection").addEventListener("click", () => this.#table.deselect());
        byId("select-all").addEventListener("click", () => this.#selectAll());
        byId("call-selected").addEventListener("click", () => this.#callSelected());
        byId("schedule-selected").addEventListener("click", () => {
            this.#scheduleForm.open([...this.#table.selection.keys()], () => this.#table.deselect());
        });
        byId("open-tools").addEventListener("click", ({ currentTarget }) => openMenu(currentTarget, [
            { label: "Scheduled calls", icon: "calendar", action: () => this.#schedules.open() },
            { label: "Retries", icon: "clock", action: () => this.#retries.open() },
            { label: "Journey of a lead", icon: "route", action: () => openJourney() },
            { label: "Background jobs", icon: "gear", action: () => this.#jobs.open() },
            null,
            { label: "Opt-outs as CSV", icon: "download", action: () => saveFromServer("/api/opt-outs/export.csv", "opt-outs.csv") },
        ]));
        addEventListener("keydown", (event) => this.#shortcut(event));
        this.#showQuestion();
        this.#refresh.now();
    }

    async #load(signal) {
        const summary = this.#summaryWatch.read("/api/analytics/summary", { signal, fresh: this.#clock.age > CLOCK_CHECK_MS })
            .then((answer) => answer && this.#showSummary(answer));
        // Rows name any year but this one, which the server's time tells: they wait for it, though not in vain.
        const told = summary.catch(() => {});
        await Promise.all([
            summary,
            this.#pauses.refresh(signal).then((isNew) => isNew && this.#header.showHealth()),
            this.#listWatch.read(this.#listPath, { signal }).then((list) => list && told.then(() => this.#showList(list))),
        ]);
        await Promise.all([this.#showVersion(signal), this.#details.refresh(signal), this.#jobs.refresh(signal), this.#schedules.refresh(signal)]);
    }

    get #listPath() {
        const query = this.#filters.query;
        query.set("limit", byId("page-size").value);
        query.set("fields", "table");
        const cursor = this.#cursors.at(-1);
        if (cursor) query.set("cursor", cursor);
        return `/api/leads?${query}`;
    }

    #restart() {
        this.#cursors = [null];
        this.#showQuestion();
        byId("table-card").setAttribute("aria-busy", "true");
        this.#refresh.now();
    }

    #turnPage(turn) {
        turn();
        byId("table-card").setAttribute("aria-busy", "true");
        byId("leads").scrollIntoView();
        this.#refresh.now();
    }

    #showQuestion() {
        this.#tiles.mark(this.#filters);
        this.#table.markSort(this.#filters.sort);
        const query = this.#filters.query;
        byId("export").href = `/api/leads/export.csv${query.size ? `?${query}` : ""}`;
    }

    #showSummary(summary) {
        this.#summary = summary;
        this.#clock.adopt(summary);
        this.#header.show(summary);
        this.#tiles.show(summary);
        this.#scheduleForm.lineLimit = summary.line_limit ?? 5;
        this.#filters.offerPartners(summary.partners ?? []);
        this.#pauses.offerPartners(summary.partners ?? []);
        byId("partners").replaceChildren(...(summary.partners ?? []).map((partner) => new Option(partner, partner)));
    }

    #showList(list) {
        this.#list = list;
        // Somebody deleted the leads of this page: go back to one that has some.
        if (!list.leads.length && this.#cursors.length > 1) return this.#turnPage(() => this.#cursors.pop());
        byId("table-card").removeAttribute("aria-busy");
        this.#table.show(list.leads);
        const isEmpty = list.leads.length === 0;
        byId("table").hidden = isEmpty;
        byId("empty").hidden = !isEmpty;
        if (isEmpty) this.#showEmpty();
        const count = list.total_capped ? `${formatCount(list.total)}+` : formatCount(list.total);
        byId("lead-count").textContent = isEmpty && !this.#filters.isNarrowed ? "" : count;
        const size = Number(byId("page-size").value);
        const first = (this.#cursors.length - 1) * size + 1;
        byId("paging").hidden = isEmpty;
        byId("paging-range").textContent = `${formatCount(first)} to ${formatCount(first + list.leads.length - 1)} of ${count}`;
        byId("next-page").disabled = !list.next_cursor;
        byId("previous-page").disabled = this.#cursors.length === 1;
    }

    #showEmpty() {
        const empty = byId("empty");
        if (this.#filters.isNarrowed) {
            empty.replaceChildren(
                element("p", { class: "empty__title" }, "No lead matches"),
                element("p", { class: "empty__text" }, "Try another name or number, or show all leads again."),
                element("button", { class: "btn", type: "button", on: { click: () => this.#filters.clear() } }, "Show all leads"));
        } else {
            empty.replaceChildren(
                element("p", { class: "empty__title" }, "Start with your leads"),
                element("p", { class: "empty__text" }, "Upload a list, choose whom to call, and read here what they said."),
                dropZone(() => this.#upload.open()),
                element("button", { class: "btn btn--plain", type: "button", on: { click: () => this.#actions.add() } }, "Or add one lead by hand"));
        }
    }

    #showState({ error, retryInSeconds }) {
        if (!error) return this.#header.showTrouble(null);
        const again = `trying again in ${plural(retryInSeconds, "second")}.`;
        const stale = this.#list ? " What you see may be out of date." : "";
        if (error instanceof APIError && !error.isUnreachable) {
            byId("table-card").removeAttribute("aria-busy");
            return this.#header.showTrouble({ title: "Server trouble", text: `${error.message}${stale} The page is ${again}` });
        }
        if (!(error instanceof APIError)) console.error(error);
        this.#header.showTrouble({ title: "Connection lost", text: `Connection lost, ${again}${stale}` });
    }

    #showSelection() {
        const count = this.#table.selection.size;
        byId("selection").hidden = count === 0;
        document.body.classList.toggle("has-selection", count > 0);
        byId("selection-count").textContent = count ? `${plural(count, "lead")} selected` : "";
        const total = this.#list?.total ?? 0;
        const offered = Math.min(total, SELECTION_LIMIT);
        byId("select-all").hidden = !this.#table.isPageChosen || count >= offered || total <= this.#list.leads.length;
        byId("select-all").textContent = offered < total || this.#list?.total_capped
            ? `Select the first ${formatCount(offered)}` : `Select all ${formatCount(total)}`;
    }

    // Beyond this page: everything that the filters show, in their order.
    async #selectAll() {
        const button = byId("select-all");
        button.disabled = true;
        const query = this.#filters.query;
        query.set("limit", LARGEST_PAGE);
        query.set("fields", "table");
        try {
            const found = [];
            do {
                const page = await get(`/api/leads?${query}`);
                found.push(...page.leads);
                query.set("cursor", page.next_cursor ?? "");
            } while (query.get("cursor") && found.length < SELECTION_LIMIT);
            this.#table.select(found.slice(0, SELECTION_LIMIT));
        } catch (error) {
            toastError(error);
        }
        button.disabled = false;
    }

    async #callSelected() {
        const button = byId("call-selected");
        button.disabled = true;
        if (await this.#actions.callAll([...this.#table.selection.keys()])) this.#table.deselect();
        button.disabled = false;
    }

    #leadMenu(lead, button, fromTable) {
        openMenu(button, [
            fromTable ? { label: "Details", icon: "list", action: () => this.#details.open(lead) } : null,
            { label: "Schedule a callback", icon: "calendar", action: () => this.#actions.scheduleCallback(lead) },
            { label: "Edit", icon: "pencil", action: () => this.#actions.edit(lead.lead_uuid) },
            { label: "Delete", icon: "trash", tone: "bad", action: async () => {
                if (!await this.#actions.remove(lead)) return;
                this.#table.deselect(lead.lead_uuid);
                this.#details.close();
            } },
        ].filter(Boolean));
    }

    #sortBy(column) {
        const first = column === "last_call" ? "-last_call" : column;
        const second = first.startsWith("-") ? column : `-${column}`;
        const { sort } = this.#filters;
        this.#filters.set({ sort: sort === first ? second : sort === second ? "-created" : first });
    }

    #shortcut(event) {
        const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
        if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !document.querySelector("dialog[open]")) {
            event.preventDefault();
            byId("search").focus();
            byId("search").select();
        }
        if (event.key === "Escape" && event.target === byId("search")) {
            if (this.#filters.value("q")) this.#filters.set({ q: "" });
            else byId("search").blur();
        }
    }

    async #showVersion(signal) {
        if (byId("version").textContent) return;
        const { version, last_updated: updated } = await get("/api/version", { signal });
        byId("version").textContent = `Presales ${version}, ${updated}`;
    }
}

/** Whether calls are under way or about to be; a call that has ended counts until its outcome is known. */
function isLive(summary) {
    if (!summary) return false;
    const { active_calls: active, due_requests: due, by_status: leads } = summary;
    return active + due + (leads.initiated ?? 0) + (leads.answered ?? 0) > 0;
}

new Dashboard().start();
