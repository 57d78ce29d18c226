// What people do with leads: call, edit, delete, call back. Each ends in a sentence about what happened.

import { APIError, Watch, send } from "./api.js";
import { FormDialog, confirm, fieldError } from "./dialog.js";
import { formatPhone, plural } from "./format.js";
import { offerTimes } from "./schedule.js";
import { toast, toastError } from "./toast.js";
import { bulkCallSentence, reasonCounts } from "./words.js";

/** More calls than this are asked about once more: it is real people who are called. */
const LARGE_CALL = 25;

/** The path of one lead's resource. */
export function leadPath(uuid, resource = "") {
    return `/api/leads/${encodeURIComponent(uuid)}${resource && `/${resource}`}`;
}

/** The actions on leads. `changed()` runs after each one that changed something. */
export class LeadActions {
    #clock;
    #changed;
    #form = new FormDialog(document.getElementById("lead-dialog"));
    #callback = new FormDialog(document.getElementById("callback-dialog"));

    constructor(clock, changed) {
        this.#clock = clock;
        this.#changed = changed;
        const zones = Intl.supportedValuesOf?.("timeZone") ?? [];
        document.getElementById("timezones").replaceChildren(...zones.map((zone) => new Option(zone, zone)));
    }

    /** Calls one lead and says what came of it. */
    async call(lead) {
        const name = lead.name || formatPhone(lead.number);
        try {
            const { status, body } = await send("POST", leadPath(lead.lead_uuid, "call"));
            if (status === 202) toast(body.error ?? `${name} waits for a free line and is called as soon as there is one.`, { tone: "info" });
            else toast(`Calling ${name}.`);
        } catch (error) {
            toast(`${name} was not called. ${error.message}`, { tone: error.status === 409 ? "warn" : "bad", details: this.#until(error) });
        }
        this.#changed();
    }

    /** Calls all of these leads; returns whether the server took the request. */
    async callAll(uuids) {
        if (uuids.length > LARGE_CALL && !await confirm({
            title: `Call ${plural(uuids.length, "lead")} now?`,
            text: "They are called one after another, as lines are free and their calling hours allow.",
            action: `Call ${plural(uuids.length, "lead")}`, isDestructive: false,
        })) return false;
        try {
            const { body } = await send("POST", "/api/leads/bulk-call", { lead_uuids: uuids });
            const reasons = reasonCounts(body.errors ?? []);
            const details = reasons.slice(0, 3).map(([reason, count]) => `${plural(count, "lead")}: ${reason}`);
            if (reasons.length > 3) details.push(`And ${plural(reasons.length - 3, "other reason")}.`);
            toast(bulkCallSentence(body), { tone: reasons.length ? "warn" : "good", details });
            return true;
        } catch (error) {
            toastError(error);
            return false;
        } finally {
            this.#changed();
        }
    }

    /** Opens the form for a new lead. */
    add() {
        this.#title("Add a lead", "Add lead");
        this.#form.open({}, async (values) => {
            const lead = Object.fromEntries(Object.entries(this.#fields(values)).filter(([, value]) => value !== null));
            try {
                await send("POST", "/api/leads", lead);
            } catch (error) {
                if (error.code === "duplicate_number" && !error.field) throw fieldError("number", error.message);
                throw error;
            }
            toast(`${lead.name ?? "The lead"} was added.`);
            this.#changed();
        });
    }

    /** Opens the form with what the server knows about a lead now. */
    async edit(uuid) {
        const watch = new Watch();
        let lead;
        try {
            ({ lead } = await watch.read(leadPath(uuid, "details")));
        } catch (error) {
            return toastError(error);
        }
        const shown = { ...lead, consent_at: lead.consent_at ? this.#clock.zone.inputValue(Date.parse(lead.consent_at)) : "" };
        const before = this.#fields(shown);
        let validator = watch.etag ? { "If-Match": watch.etag } : {};
        this.#title("Edit lead", "Save");
        this.#form.open(shown, async (values) => {
            const after = this.#fields(values);
            const changes = Object.fromEntries(Object.entries(after).filter(([name, value]) => value !== before[name]));
            if (!Object.keys(changes).length) return;
            try {
                await send("PATCH", leadPath(uuid), changes, { headers: validator });
            } catch (error) {
                if (error.status === 412) {
                    validator = {};
                    throw new APIError("This lead has changed since you opened it. Save again to keep your version.");
                }
                throw error;
            }
            toast(`${after.name || "The lead"} was saved.`);
            this.#changed();
        });
    }

    /** Deletes a lead after asking; returns whether it is gone. */
    async remove(lead) {
        const sure = await confirm({
            title: `Delete ${lead.name || formatPhone(lead.number)}?`,
            text: "The lead leaves the list and is not called any more. Planned calls are cancelled.",
            action: "Delete lead",
        });
        if (!sure) return false;
        try {
            await send("DELETE", leadPath(lead.lead_uuid));
            toast(`${lead.name || "The lead"} was deleted.`);
            return true;
        } catch (error) {
            toastError(error);
            return false;
        } finally {
            this.#changed();
        }
    }

    /** Asks when a lead wants to be called back. */
    scheduleCallback(lead) {
        const { zone, now } = this.#clock;
        document.getElementById("callback-lead").textContent = `${lead.name || "This lead"}, ${formatPhone(lead.number)}`;
        offerTimes(this.#callback.fields.callback_time, this.#clock);
        this.#callback.open({ callback_time: zone.inputValue((now ?? Date.now()) + 30 * 60_000) }, async ({ callback_time: picked }) => {
            const time = this.#clock.zone.fromInput(picked);
            if (!time) throw fieldError("callback_time", "Choose a day and a time.");
            const { body } = await send("POST", leadPath(lead.lead_uuid, "callback"), { callback_time: time });
            toast(`${lead.name || "The lead"} is called back ${this.#clock.zone.format(body.callback_time ?? time)}.`);
            this.#changed();
        });
    }

    #title(title, action) {
        document.getElementById("lead-dialog-title").textContent = title;
        document.querySelector("#lead-dialog [type=submit]").textContent = action;
        for (const label of document.querySelectorAll("[data-zone]")) label.textContent = this.#clock.zone.label;
    }

    #fields(values) {
        const text = (name) => String(values[name] ?? "").trim() || null;
        const consentAt = text("consent_at");
        return {
            name: text("name"), number: text("number"), email: text("email"), whatsapp_number: text("whatsapp_number"),
            partner: text("partner"), timezone: text("timezone"),
            consent_at: consentAt && this.#clock.zone.fromInput(consentAt),
            consent_text: text("consent_text"), consent_source: text("consent_source"),
        };
    }

    #until({ until }) {
        return until ? [`Possible again from ${this.#clock.zone.format(until)}.`] : [];
    }
}
