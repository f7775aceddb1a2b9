// Runs one MicroPython VM for the host: frames come in on stdin, go out on stdout; stderr is for crashes only.
// Arguments: path of micropython.mjs, heap in KiB, and a seed for all randomness or nothing.
// Must never print to stdout by itself, and never go on once the VM has broken down.
import { randomFillSync } from "node:crypto";
import { pathToFileURL } from "node:url";

import { FileSystem } from "./filesystem.mjs";
import { Link, packPath } from "./frames.mjs";
import { Output, serve } from "./requests.mjs";
import { makeServices, seededBytes } from "./services.mjs";

const STDIN = 0;
const STDOUT = 1;
const PYSTACK_WORDS = 8192;

/** Calls a function of the VM from the top until it returns something false: only there can the VM collect garbage. */
function repeat(mp, name) {
    const turn = mp.globals.get(name);
    if (typeof turn !== "function") {
        throw Object.assign(new Error(`NameError: no function ${name}`), { name: "PythonError", type: "NameError" });
    }
    while (turn()) {
        // The turn itself is all there is to do.
    }
}

function handlers(link, mp, files, output) {
    const asNode = (action) => {
        files.recording = true;
        try {
            action();
        } finally {
            files.recording = false;
        }
    };
    const sendFile = (path, data) => link.write("F", packPath(path), data);
    return {
        P: ({ path, data }) => files.put(path, data),
        R: ({ text }) => asNode(() => mp.runPython(text)),
        L: ({ text }) => asNode(() => repeat(mp, text)),
        G: ({ text }) => {
            const data = files.get(text);
            if (data !== null) {
                sendFile(text, data);
            }
        },
        T: ({ text }) => files.walk(text, sendFile),
    };
}

async function main([modulePath, heapKib, seed]) {
    console.log = console.error;
    const link = new Link(STDIN, STDOUT);
    const output = new Output(link);
    const fill = seed ? seededBytes(seed) : (view) => randomFillSync(view);
    if (seed) {
        // MicroPython seeds its `random` module from here.
        const crypto = { getRandomValues: (view) => (fill(new Uint8Array(view.buffer)), view) };
        Object.defineProperty(globalThis, "crypto", { value: crypto });
    }
    const { loadMicroPython } = await import(pathToFileURL(modulePath).href);
    const print = (bytes) => output.add(bytes);
    const options = { heapsize: Number(heapKib) * 1024, pystack: PYSTACK_WORDS, linebuffer: false };
    const mp = await loadMicroPython({ ...options, stdout: print, stderr: print });
    mp.registerJsModule("_vm", makeServices(link, () => mp._module, fill));
    link.write("H", Buffer.alloc(0));
    serve(link, handlers(link, mp, new FileSystem(mp.FS, link), output), output);
}

await main(process.argv.slice(2));
// Nothing is left to do once the host has closed its end; a pending handle must not keep the process.
process.exit(0);
