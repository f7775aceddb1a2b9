// Length-prefixed frames on a pair of blocking pipes: [u32 length of payload][u8 kind][payload], big-endian.
// Must never touch process.stdin or process.stdout: Node would switch the pipes to non-blocking.
import { readSync, writeSync } from "node:fs";

export const PAYLOAD_MAX_BYTES = 256 * 1024 * 1024;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Runs a read or write again for as long as the pipe says "not now". Throws whatever else it meets. */
function retry(transfer) {
    for (;;) {
        try {
            return transfer();
        } catch (error) {
            if (error.code !== "EAGAIN") {
                throw error;
            }
            Atomics.wait(pause, 0, 0, 1);
        }
    }
}

export class Link {
    constructor(input, output) {
        this.input = input;
        this.output = output;
    }

    exactly(count) {
        const buffer = Buffer.allocUnsafe(count);
        let have = 0;
        while (have < count) {
            const n = retry(() => readSync(this.input, buffer, have, count - have, null));
            if (n === 0) {
                return null;
            }
            have += n;
        }
        return buffer;
    }

    /** The next frame as { kind, payload }, or null when the host has closed its end. */
    read() {
        const head = this.exactly(5);
        if (head === null) {
            return null;
        }
        const length = head.readUInt32BE(0);
        if (length > PAYLOAD_MAX_BYTES) {
            throw new Error("frame too long");
        }
        const payload = this.exactly(length);
        return payload === null ? null : { kind: String.fromCharCode(head[4]), payload };
    }

    write(kind, ...parts) {
        const head = Buffer.alloc(5);
        head.writeUInt32BE(parts.reduce((sum, part) => sum + part.length, 0), 0);
        head[4] = kind.charCodeAt(0);
        const frame = Buffer.concat([head, ...parts]);
        let sent = 0;
        while (sent < frame.length) {
            sent += retry(() => writeSync(this.output, frame, sent, frame.length - sent, null));
        }
    }
}

/** A path as a frame carries it in front of its data: [u16 length][UTF-8]. */
export function packPath(path) {
    const name = Buffer.from(path, "utf8");
    const head = Buffer.alloc(2);
    head.writeUInt16BE(name.length, 0);
    return Buffer.concat([head, name]);
}

/** Splits [u16 length][path][data] into { path, data }. */
export function unpackPath(payload) {
    const end = 2 + payload.readUInt16BE(0);
    return { path: payload.toString("utf8", 2, end), data: payload.subarray(end) };
}
