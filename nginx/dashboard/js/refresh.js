// Keeps the page current: quickly while something happens, calmly otherwise, not at all while nobody looks.

const LIVE_MS = 2_000;
const CALM_MS = 10_000;
const LONGEST_MS = 30_000;

/** Runs `work(signal)` again and again and reports whether the server can be reached. */
export class Refresh {
    #work;
    #isLive;
    #onState;
    #timer = null;
    #running = null;
    #failures = 0;

    /**
     * `isLive()` says whether calls are active or due; `onState({error, retryInSeconds})` hears every outcome,
     * with `error` null when all is well.
     */
    constructor({ work, isLive, onState }) {
        this.#work = work;
        this.#isLive = isLive;
        this.#onState = onState;
        document.addEventListener("visibilitychange", () => (document.hidden ? this.#stop() : this.now()));
        addEventListener("online", () => this.now());
    }

    /** Refreshes at once; a refresh that is under way is given up, because its question is out of date. */
    async now() {
        this.#stop();
        const running = new AbortController();
        this.#running = running;
        let wait;
        try {
            await this.#work(running.signal);
            this.#failures = 0;
            wait = this.#isLive() ? LIVE_MS : CALM_MS;
            this.#onState({ error: null });
        } catch (error) {
            if (running.signal.aborted) return;
            this.#failures += 1;
            wait = Math.min(LIVE_MS * 2 ** (this.#failures - 1), LONGEST_MS);
            this.#onState({ error, retryInSeconds: Math.round(wait / 1000) });
        }
        if (running.signal.aborted || document.hidden) return;
        this.#running = null;
        this.#timer = setTimeout(() => this.now(), wait);
    }

    #stop() {
        clearTimeout(this.#timer);
        this.#running?.abort();
        this.#running = null;
    }
}
