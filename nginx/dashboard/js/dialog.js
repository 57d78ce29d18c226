// Dialogs: opening and closing, and forms that tell in words what is wrong and where.

import { APIError } from "./api.js";
import { element } from "./element.js";

const open = [];

/** The element that is in front: the dialog opened last, else the page. */
export function front() {
    // A dialog that has just closed says so a moment later.
    return open.findLast((dialog) => dialog.open) ?? document.body;
}

/** Prepares the close buttons of a dialog; `onClose` runs however it was closed. */
export function prepareDialog(dialog, onClose = () => {}) {
    for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
        open.splice(open.indexOf(dialog), 1);
        // A toast that was shown inside the dialog must not vanish with it.
        dialog.dispatchEvent(new CustomEvent("dialog:closed", { bubbles: true }));
        onClose();
    });
}

/** Shows a prepared dialog above everything else; the browser returns the focus when it closes. */
export function showDialog(dialog) {
    if (dialog.open) return;
    open.push(dialog);
    dialog.showModal();
}

/** A dialog around one form, sent with `submit(values)`; it closes when that succeeds. */
export class FormDialog {
    #dialog;
    #form;
    #error;
    #button;
    #submit = async () => {};

    constructor(dialog) {
        this.#dialog = dialog;
        this.#form = dialog.querySelector("form");
        this.#error = dialog.querySelector(".form-error");
        this.#button = dialog.querySelector("[type=submit]");
        prepareDialog(dialog);
        this.#form.addEventListener("submit", (event) => {
            event.preventDefault();
            this.#send();
        });
        this.#form.addEventListener("input", ({ target }) => this.#clearError(target));
    }

    /** The form's fields by name. */
    get fields() {
        return this.#form.elements;
    }

    /** Opens with these values filled in. */
    open(values, submit) {
        this.#form.reset();
        for (const field of this.#form.elements) if (field.name) this.#clearError(field);
        for (const [name, value] of Object.entries(values)) {
            if (this.fields[name]) this.fields[name].value = value ?? "";
        }
        this.#submit = submit;
        showDialog(this.#dialog);
    }

    async #send() {
        const values = Object.fromEntries(new FormData(this.#form));
        this.#error.hidden = true;
        this.#button.disabled = true;
        this.#button.classList.add("btn--busy");
        try {
            await this.#submit(values);
            this.#dialog.close();
        } catch (error) {
            this.#explain(error);
        } finally {
            this.#button.disabled = false;
            this.#button.classList.remove("btn--busy");
        }
    }

    #explain(error) {
        const field = error.field ? this.fields[error.field] : null;
        if (!field) {
            this.#error.textContent = error.message;
            this.#error.hidden = false;
            return;
        }
        field.closest("details")?.setAttribute("open", "");
        const id = `${field.id}-error`;
        const described = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((word) => word && word !== id);
        field.setAttribute("aria-invalid", "true");
        field.setAttribute("aria-describedby", [id, ...described].join(" "));
        field.closest(".field").append(element("p", { class: "field__error", id, role: "alert" }, error.message));
        field.focus();
    }

    #clearError(field) {
        if (!field.id || field.getAttribute("aria-invalid") !== "true") return;
        const id = `${field.id}-error`;
        document.getElementById(id)?.remove();
        field.removeAttribute("aria-invalid");
        const described = field.getAttribute("aria-describedby").split(" ").filter((word) => word !== id);
        if (described.length) field.setAttribute("aria-describedby", described.join(" "));
        else field.removeAttribute("aria-describedby");
    }
}

/** A mistake found before the server was asked; `FormDialog` shows it at the field. */
export function fieldError(field, message) {
    return new APIError(message, { field });
}

const confirmDialog = document.getElementById("confirm-dialog");
let answer = () => {};
prepareDialog(confirmDialog, () => answer(confirmDialog.returnValue === "yes"));

/** Asks before something that cannot be undone, or that is larger than a slip; resolves to whether to go on. */
export function confirm({ title, text, action, isDestructive = true }) {
    document.getElementById("confirm-title").textContent = title;
    document.getElementById("confirm-text").textContent = text;
    const button = document.getElementById("confirm-action");
    button.textContent = action;
    button.classList.toggle("btn--danger", isDestructive);
    button.classList.toggle("btn--primary", !isDestructive);
    button.value = "yes";
    confirmDialog.returnValue = "";
    showDialog(confirmDialog);
    return new Promise((resolve) => { answer = resolve; });
}
