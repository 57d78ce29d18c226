// What the pure modules of the dashboard promise. modules_test.py runs this in Chromium and reads `window.results`.

import { csvCell, csvFile, decodeText, parseCSV } from "/js/csv.js";
import {
    formatCost, formatCount, formatDuration, formatPhone, formatShare, humanize, parseTranscript, plural, sentenceList, webAddress,
} from "/js/format.js";
import { parseIntervals, retrySentence } from "/js/retries.js";
import { planOf } from "/js/schedule.js";
import { ServerClock, Zone, formatOffset, parseTime } from "/js/time.js";
import { resultSentence } from "/js/upload.js";
import { bulkCallSentence, numberWords, reasonCounts } from "/js/words.js";

const results = [];

function check(sentence, actual, expected) {
    const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
    results.push({ sentence, failure: left === right ? null : `${left} instead of ${right}` });
}

const india = new Zone("Asia/Kolkata", "IST", 330);
const newYork = new Zone("America/New_York", "EST", -300);

check("a time is shown as the server's clock showed it", india.format("2025-01-15T10:00:00+05:30"), "15 Jan 2025, 10:00 AM IST");
check("midnight is 12 AM", india.format("2025-01-15T00:05:00+05:30"), "15 Jan 2025, 12:05 AM IST");
check("noon is 12 PM", india.format("2025-12-31T12:00:00+05:30"), "31 Dec 2025, 12:00 PM IST");
check("a time of another offset does not wear our label", india.format("2025-01-15T10:00:00-05:00"), "15 Jan 2025, 10:00 AM UTC-05:00");
check("an unset time is a dash", india.format(null), "–");
check("text that is no time is a dash", india.format("tomorrow"), "–");
check("the offset counts for the moment", parseTime("2025-01-15T10:00:00+05:30").epoch, Date.UTC(2025, 0, 15, 4, 30));
check("Z is an offset of nothing", parseTime("2025-01-15T10:00:00Z").epoch, Date.UTC(2025, 0, 15, 10));
check("a western offset is negative", formatOffset(-210), "-03:30");
check("a moment becomes the server's ISO time", india.iso(Date.UTC(2025, 0, 15, 4, 30)), "2025-01-15T10:00:00+05:30");
check("a picked time is the server's, not the browser's", india.fromInput("2025-01-15T14:30"), "2025-01-15T14:30:00+05:30");
check("a picked time in summer has the summer's offset", newYork.fromInput("2025-07-01T09:00"), "2025-07-01T09:00:00-04:00");
check("a picked time in winter has the winter's offset", newYork.fromInput("2025-12-01T09:00"), "2025-12-01T09:00:00-05:00");
check("the hour after the clocks go forward", newYork.fromInput("2025-03-09T03:30"), "2025-03-09T03:30:00-04:00");
check("nothing picked is null", india.fromInput(""), null);
check("a moment fills a time field", india.inputValue(Date.UTC(2025, 0, 15, 4, 30, 59)), "2025-01-15T10:00");

const clock = new ServerClock();
check("the clock does not invent a time", clock.now, null);
clock.adopt({ now: "2026-11-23T11:00:00+05:30", timezone: "Asia/Kolkata", timezone_label: "IST" });
check("the clock starts at the server's time", india.inputValue(clock.now), "2026-11-23T11:00");

for (const [number, shown] of [
    ["+919876543210", "+91 98765 43210"], ["+12025550143", "+1 202 555 0143"], ["+447911123456", "+44 7911 123456"],
    ["+971501234567", "+971 501 234 567"], ["+6591234567", "+65 912 345 67"], ["98765", "98765"], ["", ""], [null, ""],
]) check(`the number ${number} is grouped`, formatPhone(number), shown);

check("a valid number", numberWords({ number: "+919876543210", number_valid: true }).label, "Valid");
check("a possible number", numberWords({ number: "+919876543210", number_valid: false }).label, "Unusual");
check("a number the provider knows to be dead", numberWords({ number: "+919876543210", number_valid: true, number_invalid: true }).label, "Out of service");
check("no number", numberWords({ number: null }).label, "Missing");

for (const [duration, shown] of [["120s", "2 min"], ["125s", "2 min 5 s"], ["45s", "45 s"], ["0s", "0 s"], [3725, "1 h 2 min"], [null, "–"], ["soon", "–"]]) {
    check(`the duration ${duration}`, formatDuration(duration), shown);
}
check("counts are grouped as in India", formatCount(1234567), "12,34,567");
check("an unknown count is a dash", formatCount(undefined), "–");
check("a share is whole percent", formatShare(0.625), "63%");
check("an unknown share is a dash", formatShare(null), "–");
check("cost has cents", formatCost(1234.5), "$1,234.50");
check("one is singular", plural(1, "lead"), "1 lead");
check("none is plural", plural(0, "retry", "retries"), "0 retries");
check("a list reads as a sentence", sentenceList(["a", "b", "c"]), "a, b and c");
check("machine words become people's", humanize("outside_calling_hours"), "Outside calling hours");
check("camel case is taken apart", humanize("roomType"), "Room type");

for (const [address, link] of [["https://a.example/b", "https://a.example/b"], ["javascript:alert(1)", null], ["data:text/html,x", null], ["no address", null]]) {
    check(`the address ${address}`, webAddress(address), link);
}

check("a transcript becomes turns", parseTranscript("Eshwari: Hi Asha\nAsha: Hello\nthere\nEshwari: The rule: be on time", ["Eshwari", "Asha"]), [
    { speaker: "Eshwari", text: "Hi Asha" }, { speaker: "Asha", text: "Hello\nthere" }, { speaker: "Eshwari", text: "The rule: be on time" },
]);
check("a colon in a sentence opens no turn", parseTranscript("Asha: My offers\nNote: two", ["Asha"]), [{ speaker: "Asha", text: "My offers\nNote: two" }]);

for (const first of ["=", "+", "-", "@", "\t", "\r"]) {
    const cell = csvCell(`${first}1`);
    check(`a cell that begins with ${JSON.stringify(first)} is no formula`, cell.replace(/^"/, "")[0], "'");
}
check("quotes and commas are quoted", csvCell('a "b", c'), '"a ""b"", c"');
check("a file has a byte order mark and CRLF", csvFile([["a", 1]]), "\uFEFFa,1\r\n");
check("quoted line breaks keep the line numbers", parseCSV('n,m\r\n"a\nb",1\r\nc,2\r\n'), [
    { line: 1, cells: ["n", "m"] }, { line: 2, cells: ["a\nb", "1"] }, { line: 4, cells: ["c", "2"] },
]);
check("a carriage return alone ends a line too", parseCSV("n\rc\rd").map(({ line }) => line), [1, 2, 3]);
check("Excel's first line names the separator", parseCSV("sep=;\r\nn;m\r\n1,5;2\r\n"), [{ line: 2, cells: ["n", "m"] }, { line: 3, cells: ["1,5", "2"] }]);
for (const [bytes, text] of [
    [[0xC3, 0xA9], "é"], [[0xE9], "é"], [[0xFF, 0xFE, 0xE9, 0x00], "é"], [[0xFE, 0xFF, 0x00, 0xE9], "é"], [[0xEF, 0xBB, 0xBF, 0x61], "a"],
]) check(`the bytes ${bytes} are read as ${text}`, decodeText(new Uint8Array(bytes)), text);
check("empty lines are no records", parseCSV("n\n\n\nc\n").map(({ line }) => line), [1, 4]);
check("semicolons separate when the header says so", parseCSV("n;m\n1,5;2")[1].cells, ["1,5", "2"]);
check("a doubled quote is one", parseCSV('"a ""b"""')[0].cells, ['a "b"']);

check("a schedule's length", planOf(50, 5, 120), { batches: 10, seconds: 1200 });
check("a last batch that is not full counts", planOf(51, 5, 120).batches, 11);
check("waiting times are read", parseIntervals("1, 4,24"), [1, 4, 24]);
for (const text of ["", "1,,2", "1, x", "0", "-1"]) check(`"${text}" is no list of waiting times`, parseIntervals(text), null);
check("retries in a sentence", retrySentence(3, [1, 4, 24], "hours"), "Called again 1, 4 and 24 hours after the miss before, 3 times at most.");
check("no retries in a sentence", retrySentence(0, [1], "hours"), "A lead that was not reached is not called again.");

check("a bulk call in a sentence", bulkCallSentence({ calls_initiated: 3, calls_queued: 1, errors: [{}] }), "3 calls started, 1 lead waiting for a free line, 1 lead not called.");
check("reasons are counted", reasonCounts([{ error: "A." }, { error: "B." }, { error: "B." }]), [["B.", 2], ["A.", 1]]);
check("a clean import in a sentence", resultSentence({ rows_read: 2, rows_added: 2, duplicates: 0 }), "Every row was imported.");
check("an import with leftovers in a sentence", resultSentence({ rows_read: 5, rows_added: 2, duplicates: 1 }), "1 duplicate was left out and 2 rows could not be imported.");

window.results = results;
