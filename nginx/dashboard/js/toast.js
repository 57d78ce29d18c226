// Short messages about what just happened.

import { front } from "./dialog.js";
import { element, icon } from "./element.js";

const region = document.getElementById("toasts");
const LIFETIME_MS = 7_000;

// Whatever is behind a modal dialog is inert, and dead to screen readers: the region travels with what is in front.
document.addEventListener("dialog:closed", () => front().append(region));

/**
 * Shows a message: `tone` is `good`, `info`, `warn` or `bad`; `details` are further lines.
 *
 * A refusal stays until it is dismissed, everything else leaves by itself unless it is being read.
 */
export function toast(message, { tone = "good", details = [] } = {}) {
    if (region.parentElement !== front()) front().append(region);
    const box = element("div", { class: "toast", data: { tone } },
        icon(tone === "good" ? "check" : tone === "info" ? "clock" : "warning"),
        element("div", { class: "toast__text" },
            element("p", { class: "toast__message" }, message),
            details.map((detail) => element("p", { class: "toast__detail" }, detail))),
        element("button", { class: "btn btn--plain btn--icon", type: "button", "aria-label": "Dismiss", on: { click: () => box.remove() } },
            icon("close")));
    const urgent = tone === "bad";
    region.querySelector(urgent ? "#toasts-assertive" : "#toasts-polite").append(box);
    while (region.querySelectorAll(".toast").length > 4) region.querySelector(".toast").remove();
    if (!urgent) leaveLater(box);
}

/** Shows why something failed, in the server's words. */
export function toastError(error) {
    toast(error.message, { tone: "bad" });
}

function leaveLater(box) {
    setTimeout(() => {
        if (box.matches(":hover, :focus-within")) leaveLater(box);
        else box.remove();
    }, LIFETIME_MS);
}
