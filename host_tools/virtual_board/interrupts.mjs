// Turns bytes on a pipe into Ctrl-C for the VM, also while its thread is deep in Python code that calls nothing: V8's
// inspector can have that thread run a line of JavaScript in between. Must never touch the VM from this thread, and never
// let it outlive the host, whose end closes the pipe.
import { readSync } from "node:fs";
import { Session } from "node:inspector";
import { workerData } from "node:worker_threads";

const session = new Session();
session.connectToMainThread();
const byte = Buffer.alloc(1);
while (readSync(workerData, byte, 0, 1, null) > 0) {
    session.post("Runtime.evaluate", { expression: `globalThis.interruptVm(${byte[0]})` });
}
process.kill(process.pid, "SIGKILL");
