# The node's own state: uptime, memory, signal strength, reset cause, what waits and what failed. Uptime restarts with
# the pseudonym epoch, since a counter that ran on would link one pseudonym to the next.

import gc

from plumveil import flash, wire

# Counts stop at the highest that their field holds.
_HIGHEST = {row[0]: row[5] for row in wire.FIELDS if row[2] == wire.DEVICE}


class Health:
    # clock: plumveil.clock.Clock; rssi_dbm: function -> dBm or None; reset_cause: machine.reset_cause(); self_test:
    # wire.FILE_SELF_TEST, where a boot whose self-test failed has left word.
    def __init__(self, clock, rssi_dbm, reset_cause, self_test):
        self._clock = clock
        self._rssi_dbm = rssi_dbm
        self._reset_cause = reset_cause
        self._self_test = self_test

    def read(self, queued, faults):
        # queued: messages waiting; faults: of sensors since the last report -> {field id: raw int}. Heap and signal
        # strength only where there is one.
        gc.collect()
        failed = flash.load(self._self_test)
        values = {
            wire.F_UPTIME: min(self._clock.up_s(), self._clock.now_s() % wire.EPOCH_S),
            wire.F_RESET_CAUSE: self._reset_cause,
            wire.F_QUEUE: min(queued, _HIGHEST[wire.F_QUEUE]),
            wire.F_SENSOR_FAULTS: min(faults, _HIGHEST[wire.F_SENSOR_FAULTS]),
            wire.F_SELF_TEST: failed[0] if failed else 0,
        }
        if hasattr(gc, "mem_free"):
            # What is free and what the heap could still grow by; boards with external RAM have more than the field.
            values[wire.F_HEAP_FREE] = min(gc.mem_free(), _HIGHEST[wire.F_HEAP_FREE] * 8192)
        rssi_dbm = self._rssi_dbm()
        if rssi_dbm is not None:
            values[wire.F_RSSI] = rssi_dbm
        return values

    def reported(self):
        # What was read has been sealed: a failed self-test is told once.
        flash.erase(self._self_test)
