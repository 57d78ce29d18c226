// Times as the server tells them. The browser's own time zone is never used: the clock time and the offset are read
// from the ISO text itself, so a colleague who travels sees the same "10:00 AM IST" as the office.

import { NOTHING } from "./format.js";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

/** The parts of an ISO 8601 time with an offset, or null. `epoch` is in milliseconds, `offset` in minutes. */
export function parseTime(iso) {
    const match = ISO.exec(iso ?? "");
    if (!match) return null;
    const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0));
    const offset = parseOffset(match[7]);
    const wall = Date.UTC(year, month - 1, day, hour, minute, second);
    return { year, month, day, hour, minute, second, offset, epoch: wall - offset * 60_000 };
}

function parseOffset(text) {
    if (text === "Z") return 0;
    const sign = text[0] === "-" ? -1 : 1;
    return sign * (Number(text.slice(1, 3)) * 60 + Number(text.slice(-2)));
}

/** `330` → `+05:30`. */
export function formatOffset(minutes) {
    const size = Math.abs(minutes);
    const pad = (part) => String(part).padStart(2, "0");
    return `${minutes < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/** The zone the server speaks in: its IANA name, the short label people know, and the offset that label stands for. */
export class Zone {
    constructor(identifier, label, offset) {
        this.identifier = identifier;
        this.label = label;
        this.offset = offset;
    }

    /** `15 Jan 2025, 10:00 AM IST` */
    format(iso) {
        const time = parseTime(iso);
        return time ? `${day(time)}, ${clock(time)} ${this.#labelOf(time)}` : NOTHING;
    }

    /** `15 Jan, 10:00 AM IST`; with the year when it is not that of `now`. */
    formatShort(iso, now) {
        const time = parseTime(iso);
        if (!time) return NOTHING;
        const isThisYear = now !== null && parseTime(this.iso(now)).year === time.year;
        return `${isThisYear ? `${time.day} ${MONTHS[time.month - 1]}` : day(time)}, ${clock(time)} ${this.#labelOf(time)}`;
    }

    /** `15 Jan 2025, 7:30 PM IST (9:00 AM there)`: the second time for a lead whose clock differs from ours. */
    formatBeside(iso, timezone) {
        const time = parseTime(iso);
        if (!time) return NOTHING;
        const ours = this.format(this.iso(time.epoch));
        const there = timezone && clock(parseTime(new Zone(timezone, timezone, time.offset).iso(time.epoch)));
        return there && there !== clock(parseTime(this.iso(time.epoch))) ? `${ours} (${there} there)` : ours;
    }

    /** A moment (unix milliseconds) as ISO text with the offset this zone has at that moment. */
    iso(epoch) {
        const offset = this.#offsetAt(epoch);
        return new Date(epoch + offset * 60_000).toISOString().slice(0, 19) + formatOffset(offset);
    }

    /** A moment as the value of an `<input type="datetime-local">`, rounded down to the minute. */
    inputValue(epoch) {
        return this.iso(epoch).slice(0, 16);
    }

    /** What somebody picked in an `<input type="datetime-local">`, read as this zone's clock time; null if nothing is picked. */
    fromInput(value) {
        if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(value)) return null;
        const wall = Date.parse(`${value}Z`);
        // The offset belongs to the moment, and the moment needs the offset: the second guess settles clock changes.
        const guess = wall - this.#offsetAt(wall - this.offset * 60_000) * 60_000;
        return this.iso(wall - this.#offsetAt(guess) * 60_000);
    }

    #labelOf(time) {
        return time.offset === this.offset ? this.label : `UTC${formatOffset(time.offset)}`;
    }

    #offsetAt(epoch) {
        try {
            const name = new Intl.DateTimeFormat("en-US", { timeZone: this.identifier, timeZoneName: "longOffset" })
                .formatToParts(epoch)
                .find((part) => part.type === "timeZoneName").value.replace("GMT", "");
            return name ? parseOffset(name) : 0;
        } catch {
            return this.offset;     // A browser that does not know the zone: what the server last said.
        }
    }
}

function day(time) {
    return `${time.day} ${MONTHS[time.month - 1]} ${time.year}`;
}

function clock(time) {
    const hour = time.hour % 12 || 12;
    return `${hour}:${String(time.minute).padStart(2, "0")} ${time.hour < 12 ? "AM" : "PM"}`;
}

/** The server's clock, carried on by a monotonic one between two answers. Simulated time works the same way. */
export class ServerClock {
    #epoch = null;
    #setAt = 0;

    /** Until the server has spoken: the zone most of our users live in. */
    zone = new Zone("Asia/Kolkata", "IST", 330);

    /** Takes over the time and the zone of an analytics summary. */
    adopt({ now, timezone, timezone_label: label }) {
        const time = parseTime(now);
        if (!time) return;
        this.#epoch = time.epoch;
        this.#setAt = performance.now();
        this.zone = new Zone(timezone, label ?? `UTC${formatOffset(time.offset)}`, time.offset);
    }

    /** Unix milliseconds, or null while the server has not answered yet. */
    get now() {
        return this.#epoch === null ? null : this.#epoch + (performance.now() - this.#setAt);
    }

    /** How old the last answer is, in milliseconds. */
    get age() {
        return this.#epoch === null ? Infinity : performance.now() - this.#setAt;
    }
}
