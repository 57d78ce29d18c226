// When a lead that was not reached is called again.

import { get, send } from "./api.js";
import { FormDialog, fieldError } from "./dialog.js";
import { plural, sentenceList } from "./format.js";
import { toast, toastError } from "./toast.js";

/** The form for how often, and after how long, a missed lead is called again. */
export class RetrySettings {
    #form = new FormDialog(document.getElementById("retry-dialog"));

    constructor() {
        document.querySelector("#retry-dialog form").addEventListener("input", () => this.#showSentence());
    }

    /** Opens with the settings in force. */
    async open() {
        let settings;
        try {
            settings = await get("/api/retry-config");
        } catch (error) {
            return toastError(error);
        }
        this.#form.open({ ...settings, retry_intervals: settings.retry_intervals.join(", ") }, async (values) => {
            const intervals = parseIntervals(values.retry_intervals);
            if (!intervals) throw fieldError("retry_intervals", "Enter whole numbers separated by commas, such as 1, 4, 24.");
            const count = Number(values.max_retry_count);
            if (values.max_retry_count === "" || !Number.isInteger(count) || count < 0) throw fieldError("max_retry_count", "Enter a whole number, 0 or more.");
            await send("POST", "/api/retry-config", { max_retry_count: count, retry_intervals: intervals, retry_units: values.retry_units });
            toast("The retry settings were saved.");
        });
        this.#showSentence();
    }

    #showSentence() {
        const { max_retry_count: count, retry_intervals: list, retry_units: units } = this.#form.fields;
        const intervals = parseIntervals(list.value);
        document.getElementById("retry-sentence").textContent = intervals ? retrySentence(Number(count.value), intervals, units.value) : "";
    }
}

/** `"1, 4, 24"` → `[1, 4, 24]`, or null if that is not a list of whole numbers from 1. */
export function parseIntervals(text) {
    const parts = text.split(",").map((part) => part.trim());
    return parts.every((part) => /^[1-9]\d*$/.test(part)) ? parts.map(Number) : null;
}

/** What the retry settings mean, in a sentence; the last waiting time is used again when there are more retries. */
export function retrySentence(count, intervals, units) {
    if (!(count > 0)) return "A lead that was not reached is not called again.";
    const waits = Array.from({ length: Math.min(count, 6) }, (_, index) => intervals[Math.min(index, intervals.length - 1)]);
    return `Called again ${sentenceList(waits.map((wait) => `${wait}`))} ${units} after the miss before, ${plural(count, "time")} at most.`;
}
