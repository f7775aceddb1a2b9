# Measures the heap in the VM: everything that runs in service is imported from .mpy and built, and a batch of 59 is
# open; then the 60th reading is taken, which seals it, with a look at the heap in every AES call. Prints one line of
# JSON. Run by bench.py. The VM collects garbage only between turns, so the peak counts the garbage of that whole step
# as well.

import gc
import json

import cryptolib

aes = cryptolib.aes
seen = {"peak": 0, "sealed": 0}


def watched(key, mode, iv=None):
    seen["peak"] = max(seen["peak"], gc.mem_alloc())
    return aes(key, mode) if iv is None else aes(key, mode, iv)


class Count:
    # A store that counts.
    def put(self, sealed):
        seen["sealed"] += sealed.stream == 0


def build():
    from plumveil import app, service, store, uplink  # noqa: F401
    from plumveil.config import Config, Secrets
    from plumveil.drops import Drops
    from plumveil.sense import battery, ds18b20, health, lis3dh, nmea, sht4x  # noqa: F401

    with open("/pv/secrets.bin", "rb") as f:
        secrets = Secrets(f.read())
    with open("/pv/config.bin", "rb") as f:
        config = Config(f.read(), secrets.k_config)
    line = service.build_pipeline(secrets, config, Count(), Drops(), bytes(32))
    return line, nmea.Parser(), secrets.epoch0_day * 86400


def turns():
    # One turn a `yield`; garbage of the turns before is gone when the next one starts.
    base = gc.mem_alloc()
    cryptolib.aes = watched
    line, _parser, t_s = build()
    yield
    for n in range(59):
        line.take(t_s, {1: 4800 + 97 * (n % 11), 2: 45000 + 777 * (n % 7), 3: 120 * (n % 3), 4: 4000 - n})
        line.tick(t_s)
        t_s += 300
        yield
    seen["open"] = gc.mem_alloc() - base
    seen["peak"] = 0
    line.take(t_s, {1: 5000, 2: 45000, 3: 120, 4: 4000})
    seen["peak"] -= base
    print(json.dumps(seen))


running = turns()


def turn():
    gc.collect()
    for _ in running:
        return True
    return False
