// A worker of its own, so that a list of 100,000 rows does not freeze the page: the rejected rows as they were in the
// file, each with its line and what is wrong, ready to be mended and sent again.

import { csvFile, decodeText, parseCSV } from "./csv.js";

/** The file of the rejected rows; `bytes` is the uploaded file, `errors` lists `{line, error}`. */
export function rejectedRows(bytes, errors) {
    const records = parseCSV(decodeText(bytes));
    const header = records[0]?.cells ?? [];
    const byLine = new Map(records.map((record) => [record.line, record.cells]));
    return csvFile([
        [...header, "line", "problem"],
        ...errors.map(({ line, error }) => [...header.map((_, index) => byLine.get(line)?.[index] ?? ""), line, error]),
    ]);
}

/** The list of problems alone, for a file that is no text. */
export function problemList(errors) {
    return csvFile([["line", "column", "problem"], ...errors.map(({ line, column, error }) => [line, column, error])]);
}

if (typeof document === "undefined") {
    addEventListener("message", async ({ data: { file, errors } }) => {
        const bytes = new Uint8Array(await file.arrayBuffer());
        const isText = !(bytes[0] === 0x50 && bytes[1] === 0x4B);       // PK: a workbook is a ZIP archive
        postMessage(new Blob([isText ? rejectedRows(bytes, errors) : problemList(errors)], { type: "text/csv" }));
    });
}
