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

/**
 * The text of a file, in the character sets that the server reads too.
 *
 * UTF-16 is told by its mark or by the zeros of its first letters; otherwise each line is UTF-8, or else what Excel writes.
 */
export function decodeText(bytes) {
    const zeros = [...bytes.subarray(0, 4)].map((byte) => (byte === 0 ? "0" : "x")).join("");
    if ((bytes[0] === 0xFF && bytes[1] === 0xFE) || zeros === "x0x0") return new TextDecoder("utf-16le").decode(bytes);
    if ((bytes[0] === 0xFE && bytes[1] === 0xFF) || zeros === "0x0x") return new TextDecoder("utf-16be").decode(bytes);
    const strict = new TextDecoder("utf-8", { fatal: true });
    try {
        return strict.decode(bytes);
    } catch {
        return lines(bytes).map((line) => {
            try {
                return strict.decode(line);
            } catch {
                return new TextDecoder("windows-1252").decode(line);
            }
        }).join("");
    }
}

function lines(bytes) {
    const list = [];
    for (let start = 0; start < bytes.length;) {
        const end = bytes.indexOf(0x0A, start) + 1 || bytes.length;
        list.push(bytes.subarray(start, end));
        start = end;
    }
    return list;
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
