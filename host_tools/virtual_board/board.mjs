// Runs the VM of a virtual board: frames come in on stdin, go out on stdout; each byte on a third pipe is a Ctrl-C for the
// request of that number.
// Arguments: path of micropython.mjs; JSON { heap_kib, elapsed_ms, speed, world_folder, banner }; the third pipe's number.
// Must never print to stdout by itself, and never go on once the VM has broken down.
import { randomFillSync } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

import { Link } from "../vm/frames.mjs";
import { serve } from "../vm/requests.mjs";
import { hostCall, makeServices } from "../vm/services.mjs";
import { Line } from "./line.mjs";

const STDIN = 0;
const STDOUT = 1;
const PYSTACK_WORDS = 8192;
const COLLECT_MS = 200; // a wait from which on the VM tidies its heap first
const [CTRL_A, CTRL_B, CTRL_C, CTRL_D] = [1, 2, 3, 4];
const FORCED_EXIT = 0x100;
const EINTR = 27; // as Emscripten counts
const BANNER = /MicroPython v[^;]*; JS with Emscripten/;
const RAW_PROMPT = "raw REPL; CTRL-B to exit\r\n>";

class BoardLink extends Link {
    line = null;

    write(kind, ...parts) {
        if (kind !== "O" && this.line !== null) {
            this.line.flush();
        }
        super.write(kind, ...parts);
    }
}

/**
 * Code that runs takes Ctrl-C as an interrupt, unless it said otherwise. One that comes before boot.py or main.py runs is
 * kept for it, and one on its way while code says so is kept until it listens again; one that comes too late for the
 * request (the turn) that it was meant for is lost.
 */
class Interrupts {
    constructor(mp) {
        Object.assign(this, { mp, turn: 0, early: false, prompted: false });
    }

    /** The handlers, with their calls counted as the host counts its requests. */
    counted(handle) {
        const count = (kind, action) => (request) => {
            this.turn = (this.turn + 1) & 0xff;
            this.prompted ||= kind === "I";
            this.early &&= !this.prompted;
            return action(request);
        };
        return Object.fromEntries(Object.entries(handle).map(([kind, action]) => [kind, count(kind, action)]));
    }

    press(turn) {
        const taken = this.mp._module._mp_hal_get_interrupt_char() === CTRL_C;
        const meant = turn === this.turn || !this.prompted;
        if (taken && meant) {
            this.mp._module._mp_sched_keyboard_interrupt();
        }
        this.early ||= !taken && meant;
        return 0;
    }

    cameEarly() {
        const was = this.early;
        this.early = false;
        return was;
    }
}

/** The REPL, a byte at a time, and whether it is in raw mode with nothing typed. */
class Repl {
    constructor(mp, line, banner) {
        Object.assign(this, { mp, line, banner, raw: false, empty: true });
    }

    say(text) {
        this.line.add(Buffer.from(text.replace(BANNER, this.banner), "latin1"));
    }

    start(raw) {
        const said = this.line.hold(() => {
            this.mp.replInit();
            if (raw) {
                this.mp.replProcessChar(CTRL_A);
            }
        });
        this.raw = raw;
        this.say(raw ? RAW_PROMPT : said.replace(/^\r\n/, ""));
    }

    byte(value) {
        let result = 0;
        if (value === CTRL_A || value === CTRL_B) {
            const said = this.line.hold(() => {
                result = this.mp.replProcessChar(value);
            });
            this.raw = said.includes(RAW_PROMPT) || (this.raw && value !== CTRL_B);
            this.say(said);
        } else {
            result = this.mp.replProcessChar(value);
        }
        this.empty = value >= CTRL_A && value <= CTRL_D;
        return (result & FORCED_EXIT) !== 0;
    }

    /** Feeds bytes up to a forced exit. */
    feed(bytes) {
        let used = 0;
        let exit = false;
        while (used < bytes.length && !exit) {
            exit = this.byte(bytes[used++]);
        }
        return { used, exit, raw: this.raw, empty: this.empty };
    }

    /** Runs code as the raw prompt does, without the OK in front of what it prints. */
    run(code) {
        for (const value of code) {
            this.mp.replProcessChar(value);
        }
        this.line.skip = 2;
        const exit = this.byte(CTRL_D);
        return { exit, raw: this.raw, empty: true };
    }
}

/**
 * Makes the VM collect garbage in the middle of a call, where this build never does: its counter of calls is set back
 * for the length of an empty one. Sound while all Python objects in use hang on Python frames, as they do in a sleep.
 */
function collector(mp) {
    const words = () => new Int32Array(mp._module.HEAPU8.buffer);
    const STATIC_WORDS = 65536;
    const seen = [];
    const look = () => void seen.push(words().slice(0, STATIC_WORDS));
    mp.registerJsModule("_look", { look, nest: () => mp.runPython("__import__('_look').look()") });
    for (const what of ["look", "nest", "look"]) {
        mp.runPython(`__import__("_look").${what}()`);
    }
    mp.runPython('del __import__("usys").modules["_look"]');
    const places = [];
    for (let i = 0; i < STATIC_WORDS; i++) {
        if (seen[0][i] === 1 && seen[1][i] === 2 && seen[2][i] === 1) {
            places.push(i);
        }
    }
    if (places.length !== 1) {
        return () => {};
    }
    return () => {
        const depth = words()[places[0]];
        words()[places[0]] = 0;
        try {
            mp.runPython("");
        } finally {
            words()[places[0]] = depth;
        }
    };
}

/** Has sys.stdin read the board's line, and Ctrl-C end the wait for it as a signal would. */
function readLine(mp, link, keys) {
    const read = (_stream, buffer, offset, length) => {
        const { result, bytes } = hostCall(link, "i", length, 0, Buffer.alloc(0));
        if (result <= 0) {
            keys.press(keys.turn);
            throw new mp.FS.ErrnoError(EINTR);
        }
        buffer.set(bytes, offset);
        return bytes.length;
    };
    const stream = mp.FS.streams[STDIN];
    stream.stream_ops = { ...stream.stream_ops, read };
}

function boardCalls(link, mp, options, interrupt, collect) {
    const memory = (addr, n) => mp._module.HEAPU8.subarray(addr >>> 0, (addr >>> 0) + n);
    const started_ms = performance.now();
    const none = Buffer.alloc(0);
    let answer = none;
    const call = (op, id, argument, bytes) => {
        const { result, bytes: back } = hostCall(link, op, id, argument, bytes);
        answer = back;
        return result;
    };
    return {
        elapsed_ms: () => Math.floor(options.elapsed_ms + (performance.now() - started_ms) * options.speed),
        call: (op, id, argument, addr, n, into, room) => {
            const result = call(op, id, argument, n ? memory(addr, n) : none);
            memory(into, room).set(answer.subarray(0, room));
            return result;
        },
        ask: (op, id, argument, text) => call(op, id, argument, Buffer.from(text)),
        text: () => answer.toString("utf8"),
        waiting: () => answer.length,
        take: (addr) => {
            memory(addr, answer.length).set(answer);
            return answer.length;
        },
        wait: (ms) => {
            if (ms >= COLLECT_MS) {
                collect();
            }
            return call("w", ms, 0, none) === 1 ? interrupt() : 0;
        },
        print_raw: (addr, n) => {
            link.line.release();
            link.line.raw(memory(addr, n));
            return n;
        },
        world_read: (name, at, addr, n) => {
            const file = openSync(join(options.world_folder, name));
            try {
                return readSync(file, memory(addr, n), 0, n, at);
            } finally {
                closeSync(file);
            }
        },
    };
}

function handlers(mp, repl) {
    let board = null;
    const put = (path, data) => {
        mp.FS.mkdirTree(path.slice(0, path.lastIndexOf("/")));
        mp.FS.writeFile(path, data);
    };
    return {
        P: ({ path, data }) => put(path, data),
        S: ({ text }) => {
            mp.runPython(`__import__("usys").path[:] = ${text}`);
            board = mp.pyimport("_board");
            board.start();
        },
        F: ({ text }) => {
            try {
                return { value: board.run(text) };
            } catch (error) {
                // Ctrl-C at the very end, behind the code that was there to take it.
                if (error.type !== "KeyboardInterrupt") {
                    throw error;
                }
                repl.say(`${error.message}\n`);
                return { value: 0 };
            }
        },
        I: ({ text }) => repl.start(text === "raw"),
        K: ({ payload }) => repl.feed(payload),
        X: ({ payload }) => repl.run(payload),
    };
}

async function main([modulePath, settings, pipe]) {
    console.log = console.error;
    const options = JSON.parse(settings);
    const link = new BoardLink(STDIN, STDOUT);
    const line = new Line(link);
    link.line = line;
    const { loadMicroPython } = await import(pathToFileURL(modulePath).href);
    const print = (bytes) => line.add(bytes);
    const config = { heapsize: options.heap_kib * 1024, pystack: PYSTACK_WORDS, linebuffer: false };
    const mp = await loadMicroPython({ ...config, stdout: print, stderr: print });
    const keys = new Interrupts(mp);
    globalThis.interruptVm = (turn) => keys.press(turn);
    readLine(mp, link, keys);
    const calls = boardCalls(link, mp, options, () => keys.press(keys.turn), collector(mp));
    const extra = { ...calls, interrupted_early: () => keys.cameEarly() };
    mp.registerJsModule("_vm", makeServices(link, () => mp._module, (view) => randomFillSync(view), extra));
    new Worker(new URL("./interrupts.mjs", import.meta.url), { workerData: Number(pipe) });
    link.write("H", Buffer.alloc(0));
    serve(link, keys.counted(handlers(mp, new Repl(mp, line, options.banner))), line);
}

await main(process.argv.slice(2));
// Nothing is left to do once the host has closed its end; a pending handle must not keep the process.
process.exit(0);
