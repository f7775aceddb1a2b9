# Measures inside the VM: time of filter + pack + seal a reading beside a plain SenML-CBOR encoder and json.dumps,
# sizes of what comes out, and the heap while a full batch is sealed. Prints one line of JSON. Run by bench.py.

import json
import os

import _vm
import peer_senml

from plumveil import wire
from plumveil.config import Config, Secrets
from plumveil.drops import Drops
from plumveil.service import build_pipeline
from plumveil.trust import Coarse

ROUNDS = 5
NAME = "urn:dev:ops:pv-0123456789abcdef:"
UNITS = (
    ("temperature", "Cel", 1000),
    ("humidity", "%RH", 1000),
    ("shock_peak", "m/s2", 1000),
    ("battery", "V", 1000),
)


class Kept:
    # A store that notes sizes, and keeps the readings' messages when asked to.
    def __init__(self, keep=False):
        self.sizes = {}
        self.kept = [] if keep else None

    def put(self, sealed):
        self.sizes.setdefault(sealed.stream, []).append(len(sealed.message))
        if self.kept is not None and sealed.stream == wire.READINGS:
            self.kept.append(sealed.message)


def pipeline(keep=False):
    with open("/pv/secrets.bin", "rb") as f:
        secrets = Secrets(f.read())
    with open("/pv/config.bin", "rb") as f:
        config = Config(f.read(), secrets.k_config)
    store = Kept(keep)
    return build_pipeline(secrets, config, store, Drops(), bytes(32)), store, secrets.epoch0_day * 86400


def elapsed_us(since_us):
    return (_vm.real_us() - since_us) & 0x3FFFFFFF


class Ours:
    # Filter, pack and seal; `start_s` moves on so that no batch is cut short by midnight: four full ones a day.
    def __init__(self, keep=False):
        self.line, self.store, self.start_s = pipeline(keep)

    def run(self, rows):
        take, tick, t_s = self.line.take, self.line.tick, self.start_s
        since_us = _vm.real_us()
        for t, rh, shock, mv in rows:
            take(t_s, {1: t, 2: rh, 3: shock, 4: mv})
            tick(t_s)
            t_s += 300
        used_us = elapsed_us(since_us)
        self.start_s += 86400
        return used_us


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
    line, store, start_s = pipeline()
    line.take(start_s, {1: 20000})
    coarse = {wire.K_CELL: (4, 89999, 1999999), wire.K_CONSENT: 1000}
    line._out(Coarse(wire.LOCATION, start_s, coarse))
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
