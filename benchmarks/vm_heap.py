# Measures the heap in the VM: everything that runs in service is imported from .mpy and built, and a batch of 60 is
# filled and sealed, hours and their keys going by. Prints one line of JSON. Run by bench.py. The VM collects garbage
# only between turns: what is in use at a turn's end is all that its step has taken, garbage included.

import gc
import json

import vm_node

seen = {"sealed": 0}


class Count(vm_node.Store):
    def put(self, sealed):
        seen["sealed"] += sealed.stream == 0


def build(partition):
    from plumveil import app, clock, hand, selftest, store, undated, uplink  # noqa: F401
    from plumveil.sense import battery, ds18b20, health, lis3dh, nmea, sht4x  # noqa: F401

    line, start_s = vm_node.build(Count(), partition)
    return line, nmea.Parser(), start_s


def turns():
    # One turn a `yield`; garbage of the turns before is gone when the next one starts.
    partition = vm_node.Partition(vm_node.read("/bench/slot.bin"))
    gc.collect()
    yield
    base = gc.mem_alloc()
    line, _parser, t_s = build(partition)
    yield
    seen["built"] = gc.mem_alloc() - base
    seen["filling"] = 0
    for n in range(60):
        seen["open"] = gc.mem_alloc() - base
        line.tick(t_s)
        line.take(t_s, {1: 4800 + 97 * (n % 11), 2: 45000 + 777 * (n % 7), 3: 120 * (n % 3), 4: 4000 - n})
        which = "sealing" if seen["sealed"] else "filling"
        seen[which] = max(seen.get(which, 0), gc.mem_alloc() - base)
        t_s += 300
        yield
    print(json.dumps(seen))


running = turns()


def turn():
    gc.collect()
    for _ in running:
        return True
    return False
