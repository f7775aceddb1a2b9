// What every VM process does with the host's requests: printed bytes go out in order, each request gets one answer.
// Must never go on once the VM has broken down: any exception but Python's own ends the process.
import { unpackPath } from "./frames.mjs";

const OUTPUT_BYTES = 4096;
const NEWLINE = 10;

/** Collects what the VM prints, a byte at a time, and sends it on in lines. */
export class Output {
    constructor(link) {
        this.link = link;
        this.buffer = Buffer.alloc(OUTPUT_BYTES);
        this.used = 0;
    }

    add(bytes) {
        for (const byte of bytes) {
            this.buffer[this.used++] = byte;
            if (byte === NEWLINE || this.used === OUTPUT_BYTES) {
                this.flush();
            }
        }
    }

    flush() {
        if (this.used > 0) {
            this.link.write("O", this.buffer.subarray(0, this.used));
            this.used = 0;
        }
    }
}

/** Runs an action of the VM and reports how it ended. A Python exception is an answer; any other is the VM's end. What
 * the action returns goes with it. */
function answer(link, output, action) {
    let result = { type: "", error: "" };
    try {
        result = { ...result, ...action() };
    } catch (error) {
        if (error.name !== "PythonError") {
            output.flush();
            throw error;
        }
        result = { type: error.type, error: error.message };
    }
    output.flush();
    link.write("D", Buffer.from(JSON.stringify(result)));
}

/** Answers requests until the host closes its end. */
export function serve(link, handle, output) {
    for (let frame = link.read(); frame !== null; frame = link.read()) {
        const { kind, payload } = frame;
        if (!(kind in handle)) {
            throw new Error(`unknown frame ${kind}`);
        }
        const request = kind === "P" ? unpackPath(payload) : { payload, text: payload.toString("utf8") };
        answer(link, output, () => handle[kind](request));
    }
}
