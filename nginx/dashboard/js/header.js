// The top of the page: is it working, what time does the server have, which outside systems are off.

import { element, icon, setText } from "./element.js";
import { plural, sentenceList } from "./format.js";
import { integrationLabel } from "./words.js";

const CONSEQUENCES = {
    vapi: "No call can be made.",
    whatsapp: "Leads that are not reached get no WhatsApp message.",
    email: "Leads that are not reached get no e-mail.",
};

/** Status line, clock, integrations and the banners below. `pauses` says what is paused, `refresh()` fetches everything again. */
export class Header {
    #clock;
    #pauses;
    #refresh;
    #summary = null;
    #trouble = null;

    constructor(clock, pauses, refresh) {
        this.#clock = clock;
        this.#pauses = pauses;
        this.#refresh = refresh;
        document.getElementById("toggle-theme").addEventListener("click", toggleTheme);
        setInterval(() => this.#tick(), 1_000);
    }

    /** Shows an analytics summary. */
    show(summary) {
        this.#summary = summary;
        document.getElementById("simulated").hidden = !summary.simulated;
        this.#showIntegrations(summary.integrations ?? {});
        this.showHealth();
        this.#tick();
    }

    /** Shows that the page is not current: `{title, text}`, or null when it is. */
    showTrouble(trouble) {
        this.#trouble = trouble;
        this.showHealth();
    }

    /** Shows whether calls can be made, and what stands in their way. */
    showHealth() {
        const [health, text] = [document.getElementById("health"), document.getElementById("health-text")];
        const banners = document.getElementById("banners");
        const wanted = [];
        if (this.#trouble) {
            health.dataset.tone = "bad";
            setText(text, this.#trouble.title);
            wanted.push({ key: "trouble", tone: "bad", text: this.#trouble.text, action: ["Try now", () => this.#refresh()] });
        } else if (this.#summary) {
            const { active_calls: active, line_limit: limit, integrations } = this.#summary;
            const paused = this.#pauses.isPaused;
            health.dataset.tone = paused ? "warn" : integrations?.vapi === false ? "quiet" : "good";
            setText(text, paused ? "Calls are paused"
                : integrations?.vapi === false ? "Calls are off"
                    : active ? `Calling, ${active} of ${plural(limit, "line")} in use` : "Ready to call");
        }
        wanted.push(...this.#pauses.banners);
        if (this.#summary?.integrations?.vapi === false) {
            wanted.push({ key: "vapi", tone: "warn", text: "The voice provider is not set up, so no call can be made. Ask your administrator to add its key." });
        }
        const content = JSON.stringify(wanted.map(({ key, text: words }) => [key, words]));
        if (banners.dataset.content === content) return;
        banners.dataset.content = content;
        banners.replaceChildren(...wanted.map(({ tone, text: words, hint, action }) => element("div", { class: "banner", data: { tone } },
            icon("warning"), element("p", {}, words, hint && element("span", { class: "banner__hint" }, hint)),
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
