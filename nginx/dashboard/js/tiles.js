// The figures at the top; a click on one shows the leads it counts.

import { element, setText } from "./element.js";
import { formatCost, formatCount, formatDuration, formatShare, plural } from "./format.js";

/** Each tile: which leads it counts, as filters, and how it reads its number and its remark from the summary. */
const TILES = [
    { key: "total", label: "All leads", filter: {}, count: (s) => s.total,
        remark: (s) => (s.opted_out ? `${formatCount(s.opted_out)} opted out` : plural(s.partners.length, "partner")) },
    { key: "pending", label: "Pending", tone: "quiet", filter: { status: "pending" }, count: (s) => s.by_status.pending,
        remark: () => "not called yet" },
    { key: "live", label: "On a call", tone: "live", filter: { status: "initiated,answered" },
        count: (s) => (s.by_status.initiated ?? 0) + (s.by_status.answered ?? 0),
        remark: (s) => (s.by_status.answered ? `${formatCount(s.by_status.answered)} in conversation` : `${formatCount(s.active_calls)} of ${plural(s.line_limit, "line")} in use`) },
    { key: "completed", label: "Completed", tone: "good", filter: { status: "completed" }, count: (s) => s.by_status.completed,
        remark: (s) => (s.average_call_seconds ? `${formatDuration(Math.round(s.average_call_seconds))} on average` : "no conversation yet") },
    { key: "lost", label: "Not reached", tone: "warn", filter: { status: "missed,failed" },
        count: (s) => (s.by_status.missed ?? 0) + (s.by_status.failed ?? 0),
        remark: (s) => `${formatCount(s.by_status.missed)} missed, ${formatCount(s.by_status.failed)} failed` },
    { key: "qualified", label: "Qualified", tone: "accent", filter: { success_status: "Qualified" },
        count: (s) => s.by_success_status.Qualified,
        remark: (s) => `${formatCount(s.by_success_status.Potential)} potential` },
];

const FIGURES = [
    { label: "Contact rate", value: (s) => formatShare(s.contact_rate), meaning: "Leads who answered a call, of those called" },
    { label: "Completion rate", value: (s) => formatShare(s.completion_rate), meaning: "Calls that ended with a conversation" },
    { label: "Qualification rate", value: (s) => formatShare(s.qualification_rate), meaning: "Qualified or potential, of the completed" },
    { label: "Not qualified", value: (s) => formatCount(s.by_success_status["Not Qualified"]), meaning: "Conversations without interest" },
    { label: "Calls planned", value: (s) => formatCount(s.waiting_requests), meaning: "Calls that wait for their time or for a free line" },
    { label: "Due now", value: (s) => formatCount(s.due_requests), meaning: "Calls that are placed as soon as a line is free" },
    { label: "Cost so far", value: (s) => formatCost(s.total_cost), meaning: "What the phone provider charged" },
];

/** The tiles; `onPick(filter)` hears which leads are wanted. */
export class Tiles {
    #tiles = new Map();
    #figures = new Map();

    constructor(onPick) {
        const root = document.getElementById("tiles");
        for (const tile of TILES) {
            const [count, remark] = [element("span", { class: "tile__count" }, "–"), element("span", { class: "tile__remark" })];
            const button = element("button", {
                class: "tile", type: "button", data: { tone: tile.tone ?? "plain", tile: tile.key }, "aria-pressed": "false",
                on: { click: () => onPick({ status: "", success_status: "", ...tile.filter }) },
            }, element("span", { class: "tile__label" }, tile.label), count, remark);
            this.#tiles.set(tile, { button, count, remark });
            root.append(button);
        }
        const list = document.getElementById("figures");
        for (const figure of FIGURES) {
            const value = element("dd", {}, "–");
            this.#figures.set(figure, value);
            list.append(element("div", { class: "figure", title: figure.meaning }, element("dt", {}, figure.label), value));
        }
    }

    /** Shows an analytics summary. */
    show(summary) {
        for (const [tile, { count, remark }] of this.#tiles) {
            setText(count, formatCount(tile.count(summary) ?? 0));
            setText(remark, tile.remark(summary));
        }
        for (const [figure, value] of this.#figures) setText(value, figure.value(summary));
    }

    /** Marks the tile whose leads are listed. */
    mark(filters) {
        for (const [tile, { button }] of this.#tiles) {
            const wanted = { status: "", success_status: "", ...tile.filter };
            const listed = Object.entries(wanted).every(([name, value]) => filters.value(name) === value);
            const isAll = Object.keys(tile.filter).length === 0;
            button.setAttribute("aria-pressed", String(listed && (!isAll || !filters.isNarrowed)));
        }
    }
}
