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

/** The text of a file, in the character sets the server reads too: UTF-16 with its mark, UTF-8, else what Excel writes. */
export function decodeText(bytes) {
    const [first, second] = bytes;
    if (first === 0xFF && second === 0xFE) return new TextDecoder("utf-16le").decode(bytes);
    if (first === 0xFE && second === 0xFF) return new TextDecoder("utf-16be").decode(bytes);
    try {
        return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
        return new TextDecoder("windows-1252").decode(bytes);
    }
}

/** Reads a CSV text into records `{line, cells}`, where `line` is the line of the file the record starts on. */
export function parseCSV(text) {
    const whole = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
    const told = /^"?sep=([,;\t])"?\n/i.exec(whole);         // Excel's own first line
    const source = told ? whole.slice(told[0].length) : whole;
    const separator = told ? told[1] : separatorOf(source);
    const records = [];
    let line = told ? 2 : 1;
    let [startLine, cell, cells, quoted] = [line, "", [], false];
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
        } else {
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
