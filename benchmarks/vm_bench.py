# Measures inside the VM: time of filter + pack + seal a reading beside a plain SenML-CBOR encoder and json.dumps,
# sizes of what comes out, and the heap while a full batch is sealed. Prints one line of JSON. Run by bench.py.

import json
import os

import _vm
import peer_senml
import vm_node

from plumveil import wire
from plumveil.trust import Coarse

ROUNDS = 5
STEP_S = 3600
NAME = "urn:dev:ops:pv-0123456789abcdef:"
UNITS = (
    ("temperature", "Cel", 1000),
    ("humidity", "%RH", 1000),
    ("shock_peak", "m/s2", 1000),
    ("battery", "V", 1000),
)


class Kept(vm_node.Store):
    # A store that notes sizes, and keeps the readings' messages when asked to.
    def __init__(self, keep=False):
        self.sizes = {}
        self.kept = [] if keep else None

    def put(self, sealed):
        self.sizes.setdefault(sealed.stream, []).append(len(sealed.message))
        if self.kept is not None and sealed.stream == wire.READINGS:
            self.kept.append(sealed.message)


def elapsed_us(since_us):
    return (_vm.real_us() - since_us) & 0x3FFFFFFF


class Ours:
    # Filter, pack and seal; `start_s` moves on so that no batch is cut short by midnight: four full ones a day.
    def __init__(self, keep=False):
        self.store = Kept(keep)
        self.line, self.start_s = vm_node.build(self.store)
        self.key_steps_us = 0

    def run(self, rows):
        # -> us without the hours' steps of the key chains, which are as many however many readings there are.
        take, tick, t_s = self.line.take, self.line.tick, self.start_s
        key_steps_us = 0
        since_us = _vm.real_us()
        for t, rh, shock, mv in rows:
            if t_s % STEP_S == 0:
                step_us = _vm.real_us()
                tick(t_s)
                key_steps_us += elapsed_us(step_us)
            tick(t_s)
            take(t_s, {1: t, 2: rh, 3: shock, 4: mv})
            t_s += 300
        used_us = elapsed_us(since_us)
        self.start_s += 86400
        self.key_steps_us += key_steps_us
        return used_us - key_steps_us


def readings(rows):
    return [[(n, u, v / scale) for (n, u, scale), v in zip(UNITS, row)] for row in rows]


class Peer:
    # A SenML-CBOR pack a reading, encoded in Python.
    def __init__(self):
        self.bytes = 0

    def run(self, rows):
        values = readings(rows)
        since_us = _vm.real_us()
        for row in values:
            self.bytes += len(peer_senml.pack(NAME, 1780000000, row))
        return elapsed_us(since_us)


class Json:
    # The same as JSON, encoded by the VM's C.
    def run(self, rows):
        values = readings(rows)
        since_us = _vm.real_us()
        for row in values:
            json.dumps(peer_senml.json_records(NAME, 1780000000, row))
        return elapsed_us(since_us)


def single_sizes():
    store = Kept()
    line, start_s = vm_node.build(store)
    line.tick(start_s)
    line.take(start_s, {1: 20000})
    coarse = {wire.K_CELL: (4, 89999, 1999999), wire.K_CONSENT: 1000}
    line._out(Coarse(wire.LOCATION, start_s, coarse), bytes(32))
    return {"alarm": store.sizes[wire.EVENTS][0], "position": store.sizes[wire.LOCATION][0]}


def turns(rows):
    # A day a `yield`: between turns the VM collects garbage, as it cannot within one.
    days = [rows[n : n + 240] for n in range(0, len(rows), 240)]
    best = {}
    for _ in range(ROUNDS):
        ours, peer, used = Ours(), Peer(), {"ours": 0, "peer": 0, "json": 0}
        for day in days:
            for kind, one in (("ours", ours), ("peer", peer), ("json", Json())):
                yield
                used[kind] += one.run(day)
        used["key_steps"] = ours.key_steps_us
        for kind in used:
            best[kind] = min(best.get(kind, used[kind]), used[kind])
    best["sizes"] = ours.store.sizes[wire.READINGS]
    best["peer_bytes"] = peer.bytes
    best["single"] = single_sizes()
    keeping = Ours(keep=True)
    os.mkdir("/bench/out")
    for day in days:
        keeping.run(day)
        yield
    for n, message in enumerate(keeping.store.kept):
        with open("/bench/out/%04d" % n, "wb") as f:
            f.write(message)
    print(json.dumps(best))


with open("/bench/rows.json") as f:
    running = turns(json.load(f))


def turn():
    for _ in running:
        return True
    return False
