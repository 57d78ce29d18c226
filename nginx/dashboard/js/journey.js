// The journey of a lead, drawn: the steps and ways that the server names, and those that one lead has taken.

import { get } from "./api.js";
import { prepareDialog, showDialog } from "./dialog.js";
import { drawing } from "./element.js";
import { toastError } from "./toast.js";
import { guardWords, nodeWords } from "./words.js";

const LANE = 112;
const ROW = 74;
const NODE = { width: 98, height: 34 };
const LINE_HEIGHT = 15;

let graph = null;

/** The graph as the server runs it, `{nodes, edges: [{from, when, to}]}`; asked for once. */
export async function journeyGraph() {
    graph ??= await get("/api/journey");
    return graph;
}

const dialog = document.getElementById("journey-dialog");
prepareDialog(dialog);

/** Shows the journey of every lead, in its dialog. */
export async function openJourney() {
    try {
        document.getElementById("journey").replaceChildren(drawJourney(await journeyGraph()));
        showDialog(dialog);
    } catch (error) {
        toastError(error);
    }
}

/**
 * The ways that a lead has taken: `{edges, nodes, last}`.
 *
 * `edges` counts by `from when to`, `nodes` by name (a call counts once, when it is dialed), `last` is where the lead stands.
 */
export function pathOf(steps, { edges: all }) {
    const [edges, nodes] = [new Map(), new Map()];
    const count = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);
    const take = (edge) => count(edges, edgeKey(edge));
    let last = null;
    for (const { node, decision } of steps) {
        if (node === "initiate_call" && decision !== "dial") continue;     // what became of a call is the next node's business
        const ways = all.filter((edge) => edge.from === node);
        if (!ways.length) continue;                        // a promise or an opt-out, which is no step of the graph
        const way = ways.find((edge) => edge.when === decision || (edge.when === "always" && edge.to === decision));
        // Nothing is written down about the ways into a node that are always taken.
        for (const edge of all) if (edge.to === node && edge.when === "always" && edge.from !== node && !edges.has(edgeKey(edge))) take(edge);
        count(nodes, node);
        last = node;
        if (!way) continue;
        take(way);
        last = way.to;
    }
    if (edges.size) for (const edge of all) if (edges.has(edgeKey(edge))) for (const end of [edge.from, edge.to]) if (!nodes.has(end)) nodes.set(end, 1);
    return { edges, nodes, last };
}

function edgeKey({ from, when, to }) {
    return `${from} ${when} ${to}`;
}

/** Where everything stands: rows by the longest way from the start, one lane for whatever passes a row. Pure. */
export function layoutOf({ nodes, edges }) {
    const row = new Map();
    const rowOf = (node, seen = []) => {
        if (!row.has(node)) {
            const before = edges.filter((edge) => edge.to === node && !seen.includes(edge.from)).map((edge) => edge.from);
            row.set(node, before.length ? 1 + Math.max(...before.map((from) => rowOf(from, [...seen, node]))) : 0);
        }
        return row.get(node);
    };
    for (const node of nodes) rowOf(node);

    const rows = [];
    const put = (index, key, reach) => (rows[index] ??= []).push({ key, reach, before: [] });
    for (const node of nodes) put(row.get(node), node, row.get(node));
    // Ways between the same two steps are one line with several words.
    const lines = [];
    for (const edge of edges) {
        let line = lines.find(({ from, to }) => from === edge.from && to === edge.to);
        if (!line) lines.push(line = { from: edge.from, to: edge.to, edges: [], via: [] });
        line.edges.push(edge);
    }
    for (const line of lines) {
        const [first, last] = [row.get(line.from), row.get(line.to)];
        for (let index = first + 1; index < last; index += 1) {
            const key = `${line.from}>${line.to}@${index}`;
            put(index, key, last);
            line.via.push(key);
        }
        const stops = [line.from, ...line.via, line.to];
        for (let index = 1; index < stops.length; index += 1) find(rows, stops[index]).before.push(stops[index - 1]);
    }

    const width = Math.max(...rows.map((items) => items.length)) * LANE;
    const places = new Map();
    rows.forEach((items, index) => {
        for (const item of items) {
            item.x = item.before.reduce((sum, key) => sum + (places.get(key)?.x ?? width / 2), 0) / (item.before.length || 1) || width / 2;
        }
        // Below what leads to it, the far-reaching ones outside; then apart from each other, and inside the drawing.
        items.sort((one, other) => one.x - other.x || one.reach - other.reach);
        for (let lane = 1; lane < items.length; lane += 1) items[lane].x = Math.max(items[lane].x, items[lane - 1].x + LANE);
        let limit = width - LANE / 2;
        for (const item of items.toReversed()) {
            item.x = Math.min(item.x, limit);
            limit = item.x - LANE;
        }
        for (const { key, x } of items) places.set(key, { x, y: index * ROW + NODE.height / 2 + 1 });
    });
    return { width, height: (rows.length - 1) * ROW + NODE.height + 2, places, lines };
}

function find(rows, key) {
    for (const items of rows) for (const item of items) if (item.key === key) return item;
    return null;
}

/** Draws the graph; with `steps`, the lead's own way through it stands out. */
export function drawJourney(graph, steps = []) {
    const layout = layoutOf(graph);
    const { width, height, places, lines } = layout;
    const path = pathOf(steps, graph);
    const isTaken = (line) => line.edges.some((edge) => path.edges.has(edgeKey(edge)));
    // What was taken is drawn last, so that it lies on top.
    const ordered = [...lines].sort((one, other) => isTaken(one) - isTaken(other));
    return drawing("svg", { class: "graph", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": sentenceOf(graph, path) },
        ordered.map((line) => drawLine(line, places, isTaken(line))),
        ordered.map((line) => drawLabel(line, layout, path)),
        graph.nodes.map((node) => drawNode(node, places.get(node), path)));
}

function drawLine({ from, to, via }, places, isTaken) {
    const stops = [from, ...via, to].map((key) => places.get(key));
    const start = { x: stops[0].x, y: stops[0].y + NODE.height / 2 };
    const end = { x: stops.at(-1).x, y: stops.at(-1).y - NODE.height / 2 - 5 };
    const points = [start, ...stops.slice(1, -1), end];
    let way = `M${start.x} ${start.y}`;
    for (let index = 1; index < points.length; index += 1) {
        const [one, other] = [points[index - 1], points[index]];
        const middle = (one.y + other.y) / 2;
        way += ` C${one.x} ${middle} ${other.x} ${middle} ${other.x} ${other.y}`;
    }
    return drawing("g", { class: `graph__line${isTaken ? " graph__line--taken" : ""}` },
        drawing("path", { d: way }), drawing("path", { class: "graph__tip", d: `M${end.x - 4} ${end.y - 1} L${end.x} ${end.y + 4} L${end.x + 4} ${end.y - 1}` }));
}

// The words of a line stand in the lane of its own: where it passes the first row, else above the step it leads to, and
// there on the side that it comes from if others come too.
function drawLabel({ to, via, edges }, { places, lines }, path) {
    const words = edges.filter(({ when }) => when !== "always").map((edge) => [guardWords(edge.when), path.edges.get(edgeKey(edge)) ?? 0]);
    const place = places.get(via[0] ?? to);
    const isShared = !via.length && lines.filter((line) => line.to === to).length > 1;
    const x = isShared ? place.x + (places.get(edges[0].from).x - place.x) * 0.45 : place.x;
    const top = via.length ? place.y - 6 : place.y - NODE.height / 2 - 16 - (words.length - 1) * LINE_HEIGHT;
    return drawing("g", {}, words.map(([text, count], index) => drawing("text", {
        x, y: top + index * LINE_HEIGHT, class: count ? "graph__word graph__word--taken" : "graph__word",
    }, count > 1 ? `${text} ×${count}` : text)));
}

function drawNode(node, { x, y }, { nodes, last }) {
    const count = nodes.get(node) ?? 0;
    const state = node === last ? " graph__node--last" : count ? " graph__node--taken" : "";
    return drawing("g", { class: `graph__node${state}` },
        drawing("rect", { x: x - NODE.width / 2, y: y - NODE.height / 2, width: NODE.width, height: NODE.height, rx: 9 }),
        drawing("text", { x, y: y + 4.5 }, count > 1 ? `${nodeWords(node)} ×${count}` : nodeWords(node)));
}

function sentenceOf({ nodes }, path) {
    if (!path.nodes.size) return `The journey of every lead: ${nodes.map(nodeWords).join(", ")}.`;
    const taken = nodes.filter((node) => path.nodes.has(node)).map((node) => {
        const count = path.nodes.get(node);
        return count > 1 ? `${nodeWords(node)} (${count} times)` : nodeWords(node);
    });
    return `This lead's way: ${taken.join(", ")}.`;
}
