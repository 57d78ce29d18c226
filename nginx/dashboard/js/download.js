// Files for the person at the screen: what the page has made, and what the server keeps.

import { fetchFile } from "./api.js";
import { element } from "./element.js";
import { toastError } from "./toast.js";

/** Saves a blob under a name. */
export function saveFile(blob, name) {
    const address = URL.createObjectURL(blob);
    element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1_000);
}

/** Saves a file of the server's; why there is none is said in words, where a link would save the error as a file. */
export async function saveFromServer(path, name) {
    try {
        saveFile(await fetchFile(path), name);
    } catch (error) {
        toastError(error);
    }
}
