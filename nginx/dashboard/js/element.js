// Building the page. Text only ever goes in as text nodes: nothing here reads HTML.

/**
 * Creates an element.
 *
 * `properties` are attributes, except `class`, `data` (dataset), `on` (event listeners) and anything that is
 * null or false, which is left out. Children are nodes or texts; null and false are left out.
 */
export function element(tag, properties = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (value === null || value === undefined || value === false) continue;
        if (name === "class") node.className = value;
        else if (name === "data") Object.assign(node.dataset, value);
        else if (name === "on") for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
        else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** Creates an element of a drawing; attributes and children as in `element`. */
export function drawing(tag, attributes = {}, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children.flat());
    return node;
}

/** An icon of the sprite in index.html, hidden from screen readers: its neighbour says what it means. */
export function icon(name) {
    return drawing("svg", { class: "icon", "aria-hidden": "true" }, drawing("use", { href: `#icon-${name}` }));
}

/** A coloured word: `{label, tone, meaning}`. */
export function pill({ label, tone, meaning }) {
    return element("span", { class: "pill", data: { tone }, title: meaning || null }, label);
}

/** Writes text only when it differs, so that an unchanged page does not even repaint. */
export function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

/**
 * Makes the children of `container` those of `items`, in their order.
 *
 * A child that stays is never taken out of the page, so focus, scrolling and a playing recording survive.
 * `create(item)` returns a new child, `update(child, item)` is called only when the item's content changed.
 */
export function reconcile(container, items, keyOf, create, update) {
    const kept = new Map();
    for (const child of [...container.children]) kept.set(child.dataset.key, child);
    const wanted = new Set(items.map((item) => String(keyOf(item))));
    for (const [key, child] of kept) if (!wanted.has(key)) child.remove();
    let next = container.firstElementChild;
    for (const item of items) {
        const key = String(keyOf(item));
        const content = JSON.stringify(item);
        let child = kept.get(key);
        if (!child) {
            child = create(item);
            child.dataset.key = key;
            update(child, item, null);
        } else if (contents.get(child) !== content) {
            update(child, item, JSON.parse(contents.get(child)));
        }
        contents.set(child, content);
        if (child === next) next = next.nextElementSibling;
        else container.insertBefore(child, next);
    }
}

const contents = new WeakMap();
