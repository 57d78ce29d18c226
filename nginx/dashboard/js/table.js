// The table of leads; on a phone the same rows are cards.

import { element, icon, pill, reconcile } from "./element.js";
import { formatDuration, formatPhone } from "./format.js";
import { isOnLine, numberWords, qualificationTone, statusWords } from "./words.js";

/** The rows, their selection and the page buttons. */
export class LeadTable {
    #rows = document.getElementById("rows");
    #selectPage = document.getElementById("select-page");
    #clock;
    #actions;
    #leads = [];
    #anchor = null;

    /** The chosen leads by uuid, over all pages: uuid → name. */
    selection = new Map();

    /** `actions`: `open(lead)`, `call(lead)`, `menu(lead, button)`, `selected()`, `sort(order)`. */
    constructor(clock, actions) {
        this.#clock = clock;
        this.#actions = actions;
        this.#selectPage.addEventListener("change", () => this.#choosePage(this.#selectPage.checked));
        for (const header of document.querySelectorAll("th[data-sort]")) {
            header.querySelector("button").addEventListener("click", () => actions.sort(header.dataset.sort));
        }
    }

    /** Shows one page of leads. */
    show(leads) {
        this.#leads = leads;
        const focused = document.activeElement;
        reconcile(this.#rows, leads, (lead) => lead.lead_uuid, (lead) => this.#createRow(lead), (row, lead, before) => this.#updateRow(row, lead, before));
        if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
        for (const lead of leads) if (this.selection.has(lead.lead_uuid)) this.selection.set(lead.lead_uuid, lead.name);
        this.#showSelection();
    }

    /** The lead as it was last listed. */
    lead(uuid) {
        return this.#leads.find((lead) => lead.lead_uuid === uuid);
    }

    /** Marks the column the list is ordered by. */
    markSort(order) {
        const column = order.replace("-", "");
        for (const header of document.querySelectorAll("th[data-sort]")) {
            if (header.dataset.sort === column) header.setAttribute("aria-sort", order.startsWith("-") ? "descending" : "ascending");
            else header.removeAttribute("aria-sort");
        }
    }

    /** Whether every lead of this page is chosen. */
    get isPageChosen() {
        return this.#leads.length > 0 && this.#leads.every((lead) => this.selection.has(lead.lead_uuid));
    }

    /** Chooses these leads too, on whatever page they are. */
    select(leads) {
        this.#mark(leads, true);
    }

    /** Forgets the selection, or one lead of it. */
    deselect(uuid = null) {
        if (uuid) this.selection.delete(uuid);
        else this.selection.clear();
        this.#showSelection();
    }

    #choosePage(chosen) {
        this.#mark(this.#leads, chosen);
    }

    #mark(leads, chosen) {
        for (const lead of leads) {
            if (chosen) this.selection.set(lead.lead_uuid, lead.name);
            else this.selection.delete(lead.lead_uuid);
        }
        this.#showSelection();
    }

    // With Shift, everything between the last chosen row and this one follows.
    #choose(uuid, chosen, isRange) {
        const index = this.#leads.findIndex((lead) => lead.lead_uuid === uuid);
        const anchor = isRange ? this.#leads.findIndex((lead) => lead.lead_uuid === this.#anchor) : -1;
        const [first, last] = anchor < 0 ? [index, index] : [Math.min(index, anchor), Math.max(index, anchor)];
        this.#anchor = uuid;
        this.#mark(this.#leads.slice(first, last + 1), chosen);
    }

    #showSelection() {
        for (const row of this.#rows.children) {
            const chosen = this.selection.has(row.dataset.key);
            row.classList.toggle("row--chosen", chosen);
            row.querySelector(".checkbox").checked = chosen;
        }
        this.#selectPage.checked = this.isPageChosen;
        this.#selectPage.indeterminate = !this.isPageChosen && this.#leads.some((lead) => this.selection.has(lead.lead_uuid));
        this.#selectPage.disabled = this.#leads.length === 0;
        this.#actions.selected();
    }

    #createRow({ lead_uuid: uuid }) {
        const current = () => this.lead(uuid);
        const checkbox = element("input", { class: "checkbox", type: "checkbox", on: {
            click: ({ shiftKey }) => this.#choose(uuid, checkbox.checked, shiftKey),
        } });
        const name = element("button", { class: "row__name", type: "button", on: { click: () => this.#actions.open(current()) } });
        const call = element("button", { class: "btn btn--small row__call", type: "button", on: { click: async () => {
            call.disabled = true;
            await this.#actions.call(current());
            call.disabled = isOnLine(current()?.call_status);
        } } }, icon("phone"), element("span", {}, "Call"));
        const more = element("button", { class: "btn btn--plain btn--icon", type: "button", "aria-haspopup": "menu", on: {
            click: () => this.#actions.menu(current(), more),
        } }, icon("more"));
        const cell = (part, ...children) => element("td", { class: `cell cell--${part}`, data: { part } }, ...children);
        // The name is the button; the rest of the row is only a larger target for the pointer.
        const open = ({ target }) => {
            if (!target.closest("button, input, a, label") && getSelection().isCollapsed) this.#actions.open(current());
        };
        return element("tr", { class: "row", on: { click: open } },
            cell("select", element("label", { class: "row__select" }, checkbox)),
            cell("lead", name, element("span", { class: "row__sub", data: { slot: "email" } })),
            cell("number"), cell("partner"), cell("status"), cell("qualification"), cell("last"), cell("next"),
            cell("actions", element("div", { class: "row__buttons" }, call, more)));
    }

    #updateRow(row, lead, before) {
        const part = (name) => row.querySelector(`[data-part=${name}]`);
        const name = lead.name || "Without a name";
        row.querySelector(".checkbox").setAttribute("aria-label", `Select ${name}`);
        row.querySelector(".row__name").textContent = name;
        row.querySelector("[data-slot=email]").textContent = lead.email ?? "";
        const call = row.querySelector(".row__call");
        call.disabled = isOnLine(lead.call_status);
        call.setAttribute("aria-label", `Call ${name}`);
        row.querySelector("[aria-haspopup]").setAttribute("aria-label", `More for ${name}`);

        part("number").replaceChildren(
            element("span", { class: "row__number" }, formatPhone(lead.number) || "No number"), numberBadge(lead));
        part("partner").replaceChildren(lead.partner ?? "");
        part("status").replaceChildren(pill(statusWords(lead.call_status)), ...this.#statusRemarks(lead));
        part("qualification").replaceChildren(lead.success_status
            ? pill({ label: lead.success_status, tone: qualificationTone(lead.success_status) }) : "");
        part("last").replaceChildren(...this.#moment(lead.last_call_time,
            parseFloat(lead.call_duration) > 0 ? formatDuration(lead.call_duration) : null));
        part("next").replaceChildren(...this.#next(lead));
        row.classList.toggle("row--live", isOnLine(lead.call_status));
        if (before && before.call_status !== lead.call_status) flash(row);
    }

    #statusRemarks(lead) {
        if (lead.opted_out) return [element("span", { class: "row__sub row__sub--bad" }, "Opted out")];
        if (lead.declined) return [element("span", { class: "row__sub row__sub--bad" }, "Asked not to be called")];
        return [];
    }

    // A retry has a time to sort by; any other plan is a sentence of the server's.
    #next(lead) {
        if (lead.next_retry_time) {
            return this.#moment(lead.next_retry_time, lead.retry_count ? `retry ${lead.retry_count} of ${lead.max_retry_count}` : null);
        }
        if (!lead.next_action || isOnLine(lead.call_status)) return [];
        return [element("span", { class: "row__plan", title: lead.next_action }, lead.next_action)];
    }

    #moment(iso, remark) {
        if (!iso) return remark ? [element("span", { class: "row__sub" }, remark)] : [];
        const { zone, now } = this.#clock;
        return [
            element("time", { class: "row__time", datetime: iso, title: zone.format(iso) }, zone.formatShort(iso, now)),
            remark && element("span", { class: "row__sub" }, remark),
        ].filter(Boolean);
    }
}

/** The badge beside a number: valid, unusual, out of service or missing. */
export function numberBadge(lead) {
    const { label, tone, meaning } = numberWords(lead);
    return element("span", { class: "badge", data: { tone }, title: meaning },
        icon(tone === "good" ? "check" : tone === "warn" ? "warning" : "close"), element("span", {}, label));
}

function flash(row) {
    row.classList.remove("row--changed");
    void row.offsetWidth;       // Restarts the animation when a status changes twice in a row.
    row.classList.add("row--changed");
}
