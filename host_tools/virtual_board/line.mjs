// What a virtual board prints, as its serial line carries it: a board's line ends, and tracebacks without the stand-ins'
// own places, which a board does not have. On the line before anything else happens, or after a short while.
import { Output } from "../vm/requests.mjs";

const FLUSH_MS = 20;
const NEWLINE = 10;
const RETURN = 13;
const OURS = Buffer.from('  File "@'); // how the host names the stand-ins when it compiles them

export class Line extends Output {
    constructor(link) {
        super(link);
        this.held = null;
        this.skip = 0;
        this.last = NEWLINE;
        this.matched = 0; // bytes of OURS that the line begins with and that have not gone out; -1: it begins otherwise
        this.flushed_ms = 0;
    }

    add(bytes) {
        for (const byte of bytes) {
            if (this.skip > 0) {
                this.skip--;
            } else if (this.held !== null) {
                this.held.push(byte);
            } else {
                this.text(byte);
            }
        }
        const now_ms = performance.now();
        if (now_ms - this.flushed_ms > FLUSH_MS) {
            this.flushed_ms = now_ms;
            this.flush();
        }
    }

    /** One byte of text. */
    text(byte) {
        if (this.matched === OURS.length) {
            // The rest of a line that is ours.
            if (byte === NEWLINE) {
                this.matched = 0;
            }
        } else if (this.matched >= 0 && byte === OURS[this.matched]) {
            this.matched++;
        } else {
            this.release();
            this.matched = byte === NEWLINE ? 0 : -1;
            // A carriage return before each newline that has none, as the port's console does.
            this.raw(byte === NEWLINE && this.last !== RETURN ? [RETURN, byte] : [byte]);
            this.last = byte;
        }
    }

    /** What looked like a line of ours and is none. */
    release() {
        if (this.matched > 0 && this.matched < OURS.length) {
            this.raw(OURS.subarray(0, this.matched));
            this.matched = -1;
        }
    }

    /** Bytes as they are. */
    raw(bytes) {
        super.add(bytes);
    }

    flush() {
        this.release();
        super.flush();
    }

    /** Runs an action -> what it printed, which has not gone out. */
    hold(action) {
        this.held = [];
        try {
            action();
            return Buffer.from(this.held).toString("latin1");
        } finally {
            this.held = null;
        }
    }
}
