// Comma-separated values (RFC 4180), for the list of rows that could not be imported.

/** One cell. A leading `= + - @`, tab or line break would start a formula in a spreadsheet, so it gets an apostrophe. */
export function csvCell(value) {
    const text = String(value ?? "");
    const safe = /^[=+\-@\t\r\n\0]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows of cells as a file that spreadsheets open in the right character set. */
export function csvFile(rows) {
    return "\uFEFF" + rows.map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";
}

/** Reads a CSV text into records `{line, cells}`, where `line` is the line of the file the record starts on. */
export function parseCSV(text) {
    const source = text.replace(/^\uFEFF/, "");
    const separator = separatorOf(source);
    const records = [];
    let [line, startLine, cell, cells, quoted] = [1, 1, "", [], false];
    const endRecord = () => {
        cells.push(cell);
        if (cells.some((value) => value !== "")) records.push({ line: startLine, cells });
        [cell, cells, startLine] = ["", [], line];
    };
    for (let index = 0; index < source.length; index += 1) {
        const character = source[index];
        if (character === "\n") line += 1;
        if (quoted) {
            if (character !== '"') cell += character;
            else if (source[index + 1] === '"') cell += source[++index];
            else quoted = false;
        } else if (character === '"' && cell === "") {
            quoted = true;
        } else if (character === separator) {
            cells.push(cell);
            cell = "";
        } else if (character === "\n") {
            endRecord();
        } else if (character !== "\r") {
            cell += character;
        }
    }
    endRecord();
    return records;
}

function separatorOf(source) {
    const header = source.slice(0, source.indexOf("\n") >>> 0);
    const count = (separator) => header.split(separator).length;
    return [",", ";", "\t"].reduce((best, next) => (count(next) > count(best) ? next : best));
}
