# Measures inside the VM what share of the step that completes a batch its sealing takes. The step: tick and take of
# the 60th reading, in which the columns are encoded, padded, sealed and queued; all of a batch within one hour, so
# that its seal key can have been derived before (warm) or not (cold). Sealing: its AAD, its headers and AES-CCM, done
# again with the arguments it had in the step. Prints one line of JSON. Run by bench.py.

import json

import _vm
import cryptolib
import vm_node

from plumveil import cbor, cose, wire

BATCH = 60
ROUNDS = 7
STEP_S = 3600
INTERVAL_S = 10  # of the node's policy


class Counting(vm_node.Store):
    # Counts the readings' messages.
    def __init__(self):
        self.count = 0

    def put(self, sealed):
        self.count += sealed.stream == wire.READINGS


def elapsed_us(since_us):
    return (_vm.real_us() - since_us) & 0x3FFFFFFF


class Hours:
    # A batch an hour. `run` ends with its 60th reading -> us that this step took.
    def __init__(self, warm):
        self.warm = warm
        self.store = Counting()
        self.line, self.start_s = vm_node.build(self.store)

    def run(self, rows):
        tick, take, t_s = self.line.tick, self.line.take, self.start_s
        if self.warm:
            tick(t_s)
            take(t_s, {1: rows[0][0]})
            self.line.close()
            t_s += INTERVAL_S
        used_us = 0
        for t, rh, shock, mv in rows:
            values = {1: t, 2: rh, 3: shock, 4: mv}
            since_us = _vm.real_us()
            tick(t_s)
            take(t_s, values)
            used_us = elapsed_us(since_us)
            t_s += INTERVAL_S
        self.start_s += STEP_S
        return used_us


def seal(arguments, aad):
    ccm, common_iv, partial_iv, kid, header, _, plaintext = arguments
    return cose.encrypt0(ccm, common_iv, partial_iv, kid, header, cbor.dumps(aad), plaintext)


def seal_us(arguments, aad):
    since_us = _vm.real_us()
    seal(arguments, aad)
    return elapsed_us(since_us)


def no_aes(key, mode, iv, source, target):
    pass


def capture(batches, found):
    # Appends (arguments of its encrypt0, AAD decoded, message) of each batch to `found`; a batch a `yield`.
    real = cose.encrypt0

    def watched(*arguments):
        message = real(*arguments)
        aad = cbor.loads(arguments[5])
        if aad[2] == wire.READINGS:
            found.append((arguments, aad, message))
        return message

    hours = Hours(False)
    cose.encrypt0 = watched
    for rows in batches:
        hours.run(rows)
        yield
    cose.encrypt0 = real


def turns(rows):
    # Between turns the VM collects garbage, as it cannot within one.
    batches = [rows[n : n + BATCH] for n in range(0, len(rows), BATCH)]
    found = []
    for _ in capture(batches, found):
        yield
    for arguments, aad, message in found:
        if seal(arguments, aad) != message:
            raise ValueError("another message than the step's")
    best = {}
    for _ in range(ROUNDS):
        cold, warm = Hours(False), Hours(True)
        for n, batch in enumerate(batches):
            yield
            used = {"cold": cold.run(batch)}
            yield
            used["warm"] = warm.run(batch)
            yield
            used["seal"] = seal_us(*found[n][:2])
            aes, cryptolib._run = cryptolib._run, no_aes
            used["no_aes"] = seal_us(*found[n][:2])
            cryptolib._run = aes
            for kind in used:
                best[kind, n] = min(best.get((kind, n), used[kind]), used[kind])
        if cold.store.count != len(batches) or warm.store.count != 2 * len(batches):
            raise ValueError("not a message a batch")
    sums = {}
    for kind, n in best:
        sums[kind] = sums.get(kind, 0) + best[kind, n]
    sums["batches"] = len(batches)
    print(json.dumps(sums))


with open("/bench/rows.json") as f:
    running = turns(json.load(f))


def turn():
    for _ in running:
        return True
    return False
