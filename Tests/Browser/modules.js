// What the pure modules of the dashboard promise. modules_test.py runs this in Chromium and reads `window.results`.

import { csvCell, csvFile, decodeText, parseCSV } from "/js/csv.js";
import {
    formatCost, formatCount, formatDuration, formatPhone, formatShare, humanize, parseTranscript, plural, sentenceList, webAddress,
} from "/js/format.js";
import { layoutOf, pathOf } from "/js/journey.js";
import { problemList, rejectedRows } from "/js/rejected.js";
import { parseIntervals, retrySentence } from "/js/retries.js";
import { planOf } from "/js/schedule.js";
import { ServerClock, Zone, formatOffset, parseTime } from "/js/time.js";
import { resultSentence } from "/js/upload.js";
import { breakerHint, bulkCallSentence, numberWords, pauseSentence, reasonCounts, reasonWords } from "/js/words.js";

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
check("a time in the table leaves out this year", india.formatShort("2025-01-15T10:00:00+05:30", Date.UTC(2025, 5, 1)), "15 Jan, 10:00 AM IST");
check("and names any other", india.formatShort("2025-01-15T10:00:00+05:30", Date.UTC(2026, 5, 1)), "15 Jan 2025, 10:00 AM IST");
check("a lead elsewhere has a second clock", india.formatBeside("2025-07-01T09:00:00-04:00", "America/New_York"), "1 Jul 2025, 6:30 PM IST (9:00 AM there)");
check("a lead here has none", india.formatBeside("2025-07-01T09:00:00+05:30", "Asia/Kolkata"), "1 Jul 2025, 9:00 AM IST");
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
for (const [bytes, text] of [
    [[0xE9, 0x0A, 0xC3, 0xA9], "é\né"], [[0x61, 0x00, 0x62, 0x00], "ab"], [[0x00, 0x61, 0x00, 0x62], "ab"], [[], ""],
]) check(`the bytes ${bytes} are read line by line`, decodeText(new Uint8Array(bytes)), text);
check("empty lines are no records", parseCSV("n\n\n\nc\n").map(({ line }) => line), [1, 4]);
check("semicolons separate when the header says so", parseCSV("n;m\n1,5;2")[1].cells, ["1,5", "2"]);
check("a doubled quote is one", parseCSV('"a ""b"""')[0].cells, ['a "b"']);

const list = new TextEncoder().encode('name;number\r\n"=Eve";12\r\nOk;+919876543210\r\n');
check("a rejected row keeps its cells and gains line and problem", rejectedRows(list, [{ line: 2, error: "Too short." }]),
    "\uFEFFname,number,line,problem\r\n'=Eve,12,2,Too short.\r\n");
check("a row that cannot be found keeps its problem", rejectedRows(list, [{ line: 9, error: "Odd." }]), "\uFEFFname,number,line,problem\r\n,,9,Odd.\r\n");
check("a file that is no text gives the problems alone", problemList([{ line: 2, column: "number", error: "Odd." }]), "\uFEFFline,column,problem\r\n2,number,Odd.\r\n");

const graph = {
    nodes: ["start", "initiate_call", "check_retry", "increment_retry", "whatsapp_fallback", "email_fallback", "end"],
    edges: [
        ["start", "always", "initiate_call"], ["initiate_call", "always", "check_retry"], ["check_retry", "completed", "end"], ["check_retry", "declined", "end"],
        ["check_retry", "retry_left", "increment_retry"], ["check_retry", "retries_used_up", "whatsapp_fallback"], ["check_retry", "number_bad", "email_fallback"],
        ["increment_retry", "always", "end"], ["whatsapp_fallback", "whatsapp_possible", "end"], ["whatsapp_fallback", "whatsapp_impossible", "email_fallback"],
        ["email_fallback", "always", "end"],
    ].map(([from, when, to]) => ({ from, when, to })),
};
const missed = [["initiate_call", "dial"], ["initiate_call", "missed"], ["check_retry", "retry_left"], ["increment_retry", "end"]];
const steps = (...list) => list.map(([node, decision]) => ({ node, decision }));
const way = (...list) => {
    const { edges, nodes, last } = pathOf(steps(...list), graph);
    return [Object.fromEntries(nodes), [...edges].map(([edge, count]) => `${edge} ×${count}`), last];
};
check("nobody's way is empty", way(), [{}, [], null]);
check("two misses and a conversation", way(...missed, ...missed, ["initiate_call", "dial"], ["check_retry", "completed"]), [
    { initiate_call: 3, check_retry: 3, increment_retry: 2, start: 1, end: 1 },
    ["start always initiate_call ×1", "initiate_call always check_retry ×1", "check_retry retry_left increment_retry ×2", "increment_retry always end ×2", "check_retry completed end ×1"],
    "end",
]);
check("a call that is held back is no step", way(["initiate_call", "held"], ["callback", "callback_promised"]), [{}, [], null]);
const { places, lines, width } = layoutOf(graph);
check("the drawing has a line for every two steps", lines.length, 10);
check("every step has a row of its own", ["start", "initiate_call", "check_retry", "whatsapp_fallback", "email_fallback", "end"].every((node, index, all) => !index || places.get(node).y > places.get(all[index - 1]).y), true);
check("nothing lies on anything else", new Set([...places.values()].map(({ x, y }) => `${x} ${y}`)).size, places.size);
check("nothing leaves the drawing", [...places.values()].every(({ x }) => x > 0 && x < width), true);
check("a graph with a loop is drawn too", layoutOf({ nodes: ["a", "b"], edges: [{ from: "a", when: "always", to: "b" }, { from: "b", when: "always", to: "a" }] }).places.size, 2);

check("a pause in a sentence", pauseSentence({ reason: "Team meeting." }, india), "Calls are paused: Team meeting.");
check("a partner's pause that ends", pauseSentence({ partner: "Yocket", reason: null, until: "2025-01-15T10:00:00+05:30" }, india), "Calls to leads of Yocket are paused until 15 Jan 2025, 10:00 AM IST.");
check("a person's pause has no hint", breakerHint({ reason: "Lunch.", test_call: false }), null);
check("the breaker says its threshold and the way out", breakerHint({ test_call: true, breaker: { failure_percent: 60, latest_calls: 20 } }),
    "Calls stop by themselves when 60% of the last 20 calls fail. To test, call one lead: a call that gets through ends the pause.");
check("a reason has words", reasonWords("no_consent"), "no recorded consent, which their country requires");
check("a new reason has the server's words", reasonWords("full_moon", "The moon is full."), "The moon is full.");
check("or its own name", reasonWords("full_moon"), "full moon");

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
