// The server's HTTP API. Every failure becomes an `APIError` whose message is a sentence for a person.

const TIMEOUT_MS = 20_000;
const FILE_TIMEOUT_MS = 120_000;

/** A request that did not succeed. `status` is 0 when the server could not be reached at all. */
export class APIError extends Error {
    constructor(message, { status = 0, code = null, field = null, until = null, body = null } = {}) {
        super(message);
        this.name = "APIError";
        Object.assign(this, { status, code, field, until, body });
    }

    /** Whether nobody answered, as opposed to somebody who said no. */
    get isUnreachable() {
        return this.status === 0;
    }
}

/** Reads JSON. */
export function get(path, { signal } = {}) {
    return exchange(path, { signal }).then(({ body }) => body);
}

/** Sends JSON with POST, PATCH or DELETE; resolves to the answer's body, and its status as `status`. */
export async function send(method, path, content = {}, { headers = {}, signal } = {}) {
    const { body, status } = await exchange(path, {
        method, signal,
        headers: { "Content-Type": "application/json", ...headers },
        body: method === "DELETE" ? undefined : JSON.stringify(content),
    });
    return { body, status };
}

/** Fetches a file as a blob. */
export async function fetchFile(path) {
    let response;
    try {
        response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(FILE_TIMEOUT_MS) });
        if (response.ok) return await response.blob();
    } catch (error) {
        throw unreachable(error);
    }
    throw refusal(response.status, parse(await response.text()));
}

/** A resource that is read again and again, and says when it did not change since the last time. */
export class Watch {
    #path = null;
    #etag = null;
    #text = null;

    /**
     * Returns the body, or null when it is what the last call returned.
     *
     * `fresh` asks without `If-None-Match`, for answers that carry the time.
     */
    async read(path, { signal, fresh = false } = {}) {
        const known = path === this.#path;
        const headers = known && this.#etag && !fresh ? { "If-None-Match": this.#etag } : {};
        const { response, text, body } = await exchange(path, { signal, headers });
        signal?.throwIfAborted();       // An answer that nobody waits for any more must not count as shown.
        if (response.status === 304) return null;
        const changed = !known || text !== this.#text;
        [this.#path, this.#etag, this.#text] = [path, response.headers.get("ETag"), text];
        return changed ? body : null;
    }

    /** The validator of what was last read, for `If-Match`. */
    get etag() {
        return this.#etag;
    }

    /** Makes the next `read` return the body even if it did not change. */
    forget() {
        [this.#path, this.#etag, this.#text] = [null, null, null];
    }
}

/** Uploads a file as multipart; `onProgress` hears the share sent, 0 to 1. Returns `{promise, abort}`. */
export function upload(path, file, onProgress) {
    const request = new XMLHttpRequest();
    const promise = new Promise((resolve, reject) => {
        request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
        request.onload = () => {
            const body = parse(request.responseText);
            if (request.status >= 200 && request.status < 300 && body) resolve(body);
            else reject(refusal(request.status, body));
        };
        request.onerror = () => reject(unreachable());
        request.onabort = () => reject(new APIError("The upload was cancelled.", { code: "cancelled" }));
        request.open("POST", path);
        const form = new FormData();
        form.append("file", file);
        request.send(form);
    });
    return { promise, abort: () => request.abort() };
}

async function exchange(path, { method = "GET", headers = {}, body, signal } = {}) {
    const signals = [AbortSignal.timeout(TIMEOUT_MS), signal].filter(Boolean);
    let response;
    let text;
    try {
        // no-store: validators are ours to send, the browser's cache would hide the 304 from us.
        response = await fetch(path, {
            method, body, cache: "no-store", headers: { Accept: "application/json", ...headers },
            signal: AbortSignal.any(signals),
        });
        text = await response.text();
    } catch (error) {
        if (signal?.aborted) throw signal.reason;
        throw unreachable(error);
    }
    const answer = parse(text);
    if (response.status === 304) return { response, status: 304, text, body: null };
    if (!response.ok) throw refusal(response.status, answer);
    if (answer === null) throw new APIError("The server gave an answer that this page does not understand. Reload the page.", { status: response.status });
    return { response, status: response.status, text, body: answer };
}

function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}

function unreachable(cause) {
    const message = cause?.name === "TimeoutError"
        ? "The server took too long to answer. Try again in a moment."
        : "The server cannot be reached. Check your connection and try again.";
    return new APIError(message);
}

function refusal(status, body) {
    const message = body?.error
        ?? (status === 413 ? "The file is too large for the server."
            : status >= 500 ? "The server has a problem just now. Try again in a moment."
                : `The server refused this (status ${status}).`);
    return new APIError(message, {
        status, code: body?.code ?? null, field: body?.field ?? null, until: body?.until ?? null, body,
    });
}
