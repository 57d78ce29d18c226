// How values are written for people. Pure functions: the same input gives the same text in every browser and time zone.

/** What stands where a value is not known. */
export const NOTHING = "–";

const indianCount = new Intl.NumberFormat("en-IN");

/** `123456` → `1,23,456`, as counts are grouped in India. */
export function formatCount(count) {
    return Number.isFinite(count) ? indianCount.format(count) : NOTHING;
}

/** A share between 0 and 1 as whole percent: `0.625` → `63%`. */
export function formatShare(share) {
    return Number.isFinite(share) ? `${Math.round(share * 100)}%` : NOTHING;
}

/** US dollars, as the voice provider bills: `0.5` → `$0.50`. */
export function formatCost(dollars) {
    if (!Number.isFinite(dollars)) return NOTHING;
    return `$${dollars.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

/** Seconds, as a number or as the API's `"125s"`: `2 min 5 s`. */
export function formatDuration(duration) {
    const text = String(duration ?? "").trim();
    const seconds = /^\d+(\.\d+)?s?$/.test(text) ? Math.round(parseFloat(text)) : NaN;
    if (Number.isNaN(seconds)) return NOTHING;
    const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const parts = [];
    if (hours) parts.push(`${hours} h`);
    if (minutes) parts.push(`${minutes} min`);
    if (rest || parts.length === 0) parts.push(`${rest} s`);
    return parts.slice(0, 2).join(" ");
}

/** `1, "lead"` → `1 lead`, `2, "lead"` → `2 leads`. */
export function plural(count, one, many = `${one}s`) {
    return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** `["a", "b", "c"]` → `a, b and c`. */
export function sentenceList(words) {
    if (words.length < 2) return words.join("");
    return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** `outside_calling_hours` → `Outside calling hours`, for words of the server that have no wording of their own here. */
export function humanize(word) {
    const text = String(word ?? "").replace(/[_-]+/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").trim();
    return text && text[0].toUpperCase() + text.slice(1).toLowerCase();
}

// Country calling codes of two digits (ITU-T E.164, list of assigned codes); 1 and 7 have one digit, all others three.
const TWO_DIGIT_CODES = new Set(
    ("20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 "
        + "90 91 92 93 94 95 98").split(" "));

/** `+919876543210` → `+91 98765 43210`. Anything that is not E.164 is returned as it came. */
export function formatPhone(number) {
    const match = /^\+(\d{6,15})$/.exec(number ?? "");
    if (!match) return number ?? "";
    const digits = match[1];
    const codeLength = digits[0] === "1" || digits[0] === "7" ? 1 : TWO_DIGIT_CODES.has(digits.slice(0, 2)) ? 2 : 3;
    const [code, rest] = [digits.slice(0, codeLength), digits.slice(codeLength)];
    return `+${code} ${groupDigits(code, rest).join(" ")}`;
}

function groupDigits(code, rest) {
    if (code === "91" && rest.length === 10) return [rest.slice(0, 5), rest.slice(5)];
    if (code === "1" && rest.length === 10) return [rest.slice(0, 3), rest.slice(3, 6), rest.slice(6)];
    if (code === "44" && rest.length === 10) return [rest.slice(0, 4), rest.slice(4)];
    const groups = [];
    let start = 0;
    while (rest.length - start > 4) {
        groups.push(rest.slice(start, start + 3));
        start += 3;
    }
    groups.push(rest.slice(start));
    return groups;
}

/** Only web addresses may become links: a `javascript:` address in somebody's data must stay text. */
export function webAddress(text) {
    try {
        const url = new URL(text);
        return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
    } catch {
        return null;
    }
}

/**
 * A conversation from its text form, one `Speaker: words` a line.
 *
 * Only the given speakers open a new turn, so a colon inside a sentence stays where it is;
 * lines without a speaker continue the turn before them.
 */
export function parseTranscript(text, speakers) {
    const turns = [];
    for (const line of String(text ?? "").split(/\r?\n/)) {
        const colon = line.indexOf(":");
        const speaker = colon > 0 ? line.slice(0, colon).trim() : "";
        if (speakers.includes(speaker)) {
            turns.push({ speaker, text: line.slice(colon + 1).trim() });
        } else if (line.trim() && turns.length) {
            turns.at(-1).text += `\n${line.trim()}`;
        } else if (line.trim()) {
            turns.push({ speaker: "", text: line.trim() });
        }
    }
    return turns;
}
