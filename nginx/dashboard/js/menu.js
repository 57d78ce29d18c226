// One menu for the whole page, opened beside the button that asks for it.

import { front } from "./dialog.js";
import { element, icon } from "./element.js";

const menu = document.getElementById("menu");
let opener = null;

/** Opens the menu at `button` with `items` of `{label, icon, action, tone, disabled}`; null draws a line. */
export function openMenu(button, items) {
    opener = button;
    menu.replaceChildren(...items.map((item) => (item ? menuItem(item) : element("hr", { role: "separator" }))));
    if (menu.parentElement !== front()) front().append(menu);
    menu.showPopover();
    place(button.getBoundingClientRect());
    button.setAttribute("aria-expanded", "true");
    menu.querySelector("button:not(:disabled)")?.focus();
}

function menuItem({ label, icon: name, action, tone, disabled }) {
    return element("button", {
        class: "menu__item", type: "button", role: "menuitem", disabled, data: tone ? { tone } : {},
        on: { click: () => { menu.hidePopover(); action(); } },
    }, icon(name), label);
}

function place(anchor) {
    const [width, height] = [menu.offsetWidth, menu.offsetHeight];
    const below = anchor.bottom + 4 + height < innerHeight;
    menu.style.insetBlockStart = `${below ? anchor.bottom + 4 : Math.max(8, anchor.top - height - 4)}px`;
    menu.style.insetInlineStart = `${Math.max(8, Math.min(anchor.right - width, innerWidth - width - 8))}px`;
}

menu.addEventListener("toggle", ({ newState }) => {
    if (newState === "open") return;
    opener?.removeAttribute("aria-expanded");
    if (document.activeElement === document.body || menu.contains(document.activeElement)) opener?.focus();
});

menu.addEventListener("keydown", (event) => {
    const items = [...menu.querySelectorAll("button:not(:disabled)")];
    const index = items.indexOf(document.activeElement);
    const steps = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: items.length - 1 };
    if (event.key === "Tab") menu.hidePopover();
    if (!(event.key in steps)) return;
    event.preventDefault();
    items.at(steps[event.key] % items.length).focus();
});

addEventListener("scroll", () => menu.matches(":popover-open") && menu.hidePopover(), { passive: true });
