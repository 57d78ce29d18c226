// Pausing calls: all of them, or those to one partner's leads; by a person, or by the server when something is wrong.

import { Watch, send } from "./api.js";
import { FormDialog } from "./dialog.js";
import { element, icon } from "./element.js";
import { toast, toastError } from "./toast.js";
import { breakerHint, pauseSentence } from "./words.js";

const PATH = "/api/pause";

/** What is paused, the form to pause, and the way to go on. `changed()` runs when the server has said something new. */
export class Pauses {
    #clock;
    #changed;
    #watch = new Watch();
    #state = { paused: false, partners: [] };
    #form = new FormDialog(document.getElementById("pause-dialog"));
    #button = document.getElementById("pause-toggle");

    constructor(clock, changed) {
        this.#clock = clock;
        this.#changed = changed;
        this.#button.addEventListener("click", () => (this.isPaused ? this.#resume() : this.#ask()));
    }

    /** Whether every call is held back. */
    get isPaused() {
        return this.#state.paused;
    }

    /** Asks the server again; resolves to whether anything is different. */
    async refresh(signal) {
        const state = await this.#watch.read(PATH, { signal });
        if (state) this.#show(state);
        return Boolean(state);
    }

    /** Offers these partners in the form. */
    offerPartners(partners) {
        const select = this.#form.fields.partner;
        const offered = [...select.options].slice(1).map((option) => option.value);
        if (JSON.stringify(offered) === JSON.stringify(partners)) return;       // an open form keeps its choice
        select.replaceChildren(select.options[0], ...partners.map((partner) => new Option(`Leads of ${partner}`, partner)));
    }

    /** The sentences that stand above the page, `{key, tone, text, hint, action}`, each with its way out. */
    get banners() {
        const { paused, partners = [] } = this.#state;
        const list = partners.map((pause) => ({
            key: `paused-${pause.partner}`, tone: "warn", text: pauseSentence(pause, this.#clock.zone),
            action: [`Resume ${pause.partner}`, () => this.#resume(pause.partner)],
        }));
        if (paused) {
            list.unshift({
                key: "paused", tone: this.#state.test_call ? "bad" : "warn", text: pauseSentence(this.#state, this.#clock.zone), hint: breakerHint(this.#state),
                action: ["Resume calls", () => this.#resume()],
            });
        }
        return list;
    }

    #show(state) {
        this.#state = state;
        this.#button.disabled = false;
        this.#button.replaceChildren(icon(state.paused ? "play" : "pause"), element("span", {}, state.paused ? "Resume calls" : "Pause calls"));
    }

    #ask() {
        this.#form.open({}, async ({ partner, reason }) => {
            const whom = partner || null;
            await send("POST", PATH, { paused: true, ...(reason.trim() && { reason: reason.trim() }), ...(whom && { partner: whom }) });
            toast(whom ? `Calls to leads of ${whom} are paused.` : "Calls are paused.", { tone: "info" });
            this.#changed();
        });
    }

    async #resume(partner = null) {
        try {
            await send("POST", PATH, { paused: false, ...(partner && { partner }) });
            toast(partner ? `Leads of ${partner} are called again.` : "Calls go on.");
        } catch (error) {
            toastError(error);
        }
        this.#changed();
    }
}
