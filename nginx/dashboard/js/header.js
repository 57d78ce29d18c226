// The top of the page: is it working, what time does the server have, which outside systems are off.

import { send } from "./api.js";
import { FormDialog } from "./dialog.js";
import { element, icon, setText } from "./element.js";
import { plural, sentenceList } from "./format.js";
import { toast, toastError } from "./toast.js";
import { integrationLabel } from "./words.js";

const CONSEQUENCES = {
    vapi: "No call can be made.",
    whatsapp: "Leads that are not reached get no WhatsApp message.",
    email: "Leads that are not reached get no e-mail.",
};

/** Status line, clock, integrations and the banners below. `refresh()` fetches everything again. */
export class Header {
    #clock;
    #refresh;
    #summary = null;
    #trouble = null;
    #pauseDialog = new FormDialog(document.getElementById("pause-dialog"));
    #pauseButton = document.getElementById("pause-toggle");

    constructor(clock, refresh) {
        this.#clock = clock;
        this.#refresh = refresh;
        this.#pauseButton.addEventListener("click", () => (this.#summary?.paused ? this.#resume() : this.#askToPause()));
        document.getElementById("toggle-theme").addEventListener("click", toggleTheme);
        setInterval(() => this.#tick(), 1_000);
    }

    /** Shows an analytics summary. */
    show(summary) {
        this.#summary = summary;
        document.getElementById("simulated").hidden = !summary.simulated;
        this.#showIntegrations(summary.integrations ?? {});
        this.#pauseButton.disabled = false;
        this.#pauseButton.replaceChildren(icon(summary.paused ? "play" : "pause"),
            element("span", {}, summary.paused ? "Resume calls" : "Pause calls"));
        this.#showHealth();
        this.#tick();
    }

    /** Shows that the page is not current: `{title, text}`, or null when it is. */
    showTrouble(trouble) {
        this.#trouble = trouble;
        this.#showHealth();
    }

    #showHealth() {
        const [health, text] = [document.getElementById("health"), document.getElementById("health-text")];
        const banners = document.getElementById("banners");
        const wanted = [];
        if (this.#trouble) {
            health.dataset.tone = "bad";
            setText(text, this.#trouble.title);
            wanted.push({ key: "trouble", tone: "bad", text: this.#trouble.text, action: ["Try now", () => this.#refresh()] });
        } else if (this.#summary) {
            const { paused, active_calls: active, line_limit: limit, integrations } = this.#summary;
            health.dataset.tone = paused ? "warn" : integrations?.vapi === false ? "quiet" : "good";
            setText(text, paused ? "Calls are paused"
                : integrations?.vapi === false ? "Calls are off"
                    : active ? `Calling, ${active} of ${plural(limit, "line")} in use` : "Ready to call");
        }
        if (this.#summary?.paused) {
            const reason = this.#summary.pause_reason;
            wanted.push({ key: "paused", tone: "warn", text: `Calls are paused${reason ? `: ${reason}` : "."}`, action: ["Resume calls", () => this.#resume()] });
        }
        if (this.#summary?.integrations?.vapi === false) {
            wanted.push({ key: "vapi", tone: "warn", text: "The voice provider is not set up, so no call can be made. Ask your administrator to add its key." });
        }
        const content = JSON.stringify(wanted.map(({ key, text: words }) => [key, words]));
        if (banners.dataset.content === content) return;
        banners.dataset.content = content;
        banners.replaceChildren(...wanted.map(({ tone, text: words, action }) => element("div", { class: "banner", data: { tone } },
            icon("warning"), element("p", {}, words),
            action && element("button", { class: "btn btn--small", type: "button", on: { click: action[1] } }, action[0]))));
    }

    #showIntegrations(integrations) {
        const off = Object.keys(integrations).filter((name) => !integrations[name]);
        const list = document.getElementById("integrations");
        const content = off.join();
        if (list.dataset.content === content) return;
        list.dataset.content = content;
        list.replaceChildren(...(off.length
            ? [element("li", { class: "integration", title: off.map((name) => CONSEQUENCES[name] ?? "").join(" ").trim() || null },
                upperFirst(`${sentenceList(off.map(integrationLabel))} ${off.length === 1 ? "is" : "are"} off`))]
            : []));
    }

    #tick() {
        const now = this.#clock.now;
        if (now === null) return;
        const iso = this.#clock.zone.iso(now);
        const time = document.getElementById("clock");
        document.getElementById("server-clock").hidden = false;
        setText(time, this.#clock.zone.format(iso));
        time.dateTime = iso;
    }

    #askToPause() {
        this.#pauseDialog.open({}, async ({ reason }) => {
            await send("POST", "/api/pause", { paused: true, reason: reason.trim() || "Paused by hand" });
            toast("Calls are paused.", { tone: "info" });
            this.#refresh();
        });
    }

    async #resume() {
        try {
            await send("POST", "/api/pause", { paused: false });
            toast("Calls go on.");
        } catch (error) {
            toastError(error);
        }
        this.#refresh();
    }
}

function upperFirst(sentence) {
    return sentence[0].toUpperCase() + sentence.slice(1);
}

function toggleTheme() {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
        localStorage.setItem("theme", root.dataset.theme);
    } catch {
        // Storage is blocked: the choice lasts as long as the page.
    }
}
