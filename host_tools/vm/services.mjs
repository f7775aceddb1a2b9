// The module `_vm` that the stand-ins call: AES, randomness, sockets, progress. Bytes pass as address and length in the
// VM's memory. Nothing here may throw: an exception would unwind through the VM and leave it broken, so every function
// returns a negative errno in its place.
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";

const EIO = 5;
const EINVAL = 22;
const MODE_ECB = 1;
const MODE_CBC = 2;
const TICKS_MASK = 0x3fffffff;

/** A byte source that gives the same bytes for the same seed: SHA-256 over seed and counter. */
export function seededBytes(seed) {
    let counter = 0;
    let pool = Buffer.alloc(0);
    return (view) => {
        for (let at = 0; at < view.length; ) {
            if (pool.length === 0) {
                pool = createHash("sha256").update(`${seed}/${counter++}`).digest();
            }
            const n = Math.min(pool.length, view.length - at);
            view.set(pool.subarray(0, n), at);
            pool = pool.subarray(n);
            at += n;
        }
    };
}

/** mode: 1 ECB, 2 CBC; negative decrypts. Lengths are whole blocks of 16. */
function aes(memory, keyAddr, keyLen, mode, ivAddr, srcAddr, dstAddr, n) {
    const name = { [MODE_ECB]: "ecb", [MODE_CBC]: "cbc" }[Math.abs(mode)];
    if (name === undefined || (keyLen !== 16 && keyLen !== 32) || n < 0 || n % 16 !== 0) {
        return -EINVAL;
    }
    const key = memory(keyAddr, keyLen);
    const iv = name === "cbc" ? memory(ivAddr, 16) : null;
    const make = mode > 0 ? createCipheriv : createDecipheriv;
    const cipher = make(`aes-${keyLen * 8}-${name}`, key, iv).setAutoPadding(false);
    const out = cipher.update(memory(srcAddr, n));
    memory(dstAddr, n).set(out);
    return out.length;
}

/** A call that the host answers: [op u8][socket i32][argument i32][bytes] -> [result i32][bytes]. */
export function hostCall(link, op, id, argument, bytes) {
    const head = Buffer.alloc(9);
    head.write(op, 0, "latin1");
    head.writeInt32BE(id, 1);
    head.writeInt32BE(argument, 5);
    link.write("C", head, bytes);
    const answer = link.read();
    if (answer === null || answer.kind !== "A") {
        return { result: -EIO, bytes: Buffer.alloc(0) };
    }
    return { result: answer.payload.readInt32BE(0), bytes: answer.payload.subarray(4) };
}

function socketCalls(link, memory) {
    const none = Buffer.alloc(0);
    return {
        // The host's name and all other text come as str, which JavaScript gets by value.
        sock_open: (host, port, timeoutMs) => {
            const tail = Buffer.alloc(2);
            tail.writeUInt16BE(port & 0xffff, 0);
            return hostCall(link, "o", 0, timeoutMs, Buffer.concat([tail, Buffer.from(host)])).result;
        },
        sock_timeout: (id, timeoutMs) => hostCall(link, "t", id, timeoutMs, none).result,
        sock_send: (id, addr, n) => hostCall(link, "s", id, 0, memory(addr, n)).result,
        sock_recv: (id, addr, n) => {
            const { result, bytes } = hostCall(link, "r", id, n, none);
            memory(addr, n).set(bytes.subarray(0, n));
            return result;
        },
        sock_starttls: (id, hostname, caAddr, caLen) => {
            const name = Buffer.from(hostname);
            return hostCall(link, "l", id, name.length, Buffer.concat([name, memory(caAddr, caLen)])).result;
        },
        sock_close: (id) => hostCall(link, "c", id, 0, none).result,
    };
}

/**
 * All of `_vm`: link to the host, module() -> the Emscripten module, fill(view) -> random bytes into view; extra: more
 * calls, guarded like the rest.
 */
export function makeServices(link, module, fill, extra = {}) {
    // HEAPU8 is replaced when the VM's memory grows, so it is looked up for every use.
    const memory = (addr, n) => module().HEAPU8.subarray(addr >>> 0, (addr >>> 0) + n);
    const calls = {
        aes: (...args) => aes(memory, ...args),
        urandom: (addr, n) => {
            fill(memory(addr, n));
            return n;
        },
        progress: (text) => {
            link.write("N", Buffer.from(text));
            return 0;
        },
        real_us: () => Math.floor(performance.now() * 1000) & TICKS_MASK,
        ...socketCalls(link, memory),
        ...extra,
    };
    for (const [name, call] of Object.entries(calls)) {
        calls[name] = (...args) => {
            try {
                return call(...args);
            } catch (error) {
                console.error(`_vm.${name}: ${error.message}`);
                return -EIO;
            }
        };
    }
    return calls;
}
