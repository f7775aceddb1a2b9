# The node's own state: uptime, memory, signal strength, reset cause. Uptime restarts with the pseudonym epoch, since
# a counter that ran on would link one pseudonym to the next.

import gc

from plumveil import wire

_FIELD_MAX_BYTES = 512 * 8192  # F_HEAP_FREE's highest


class Health:
    # clock: plumveil.clock.Clock; rssi_dbm: function -> dBm or None; reset_cause: machine.reset_cause().
    def __init__(self, clock, rssi_dbm, reset_cause):
        self._clock = clock
        self._rssi_dbm = rssi_dbm
        self._reset_cause = reset_cause
        self._last_ms = clock.ticks_ms()
        self._up_ms = 0

    def read(self):
        # -> {F_UPTIME: s since boot or epoch start, the later; F_RESET_CAUSE; F_HEAP_FREE: bytes and F_RSSI: dBm
        # where there is one}. To be called at least once per wrap of the ticks (6 days).
        now_ms = self._clock.ticks_ms()
        # Kept as a bounded sum: the difference to a boot time wraps, and the wall clock may be set after boot.
        self._up_ms = min(self._up_ms + self._clock.elapsed_ms(self._last_ms), wire.EPOCH_S * 1000)
        self._last_ms = now_ms
        gc.collect()
        values = {
            wire.F_UPTIME: min(self._up_ms // 1000, self._clock.now_s() % wire.EPOCH_S),
            wire.F_RESET_CAUSE: self._reset_cause,
        }
        if hasattr(gc, "mem_free"):
            # What is free and what the heap could still grow by; boards with external RAM have more than the field.
            values[wire.F_HEAP_FREE] = min(gc.mem_free(), _FIELD_MAX_BYTES)
        rssi_dbm = self._rssi_dbm()
        if rssi_dbm is not None:
            values[wire.F_RSSI] = rssi_dbm
        return values
