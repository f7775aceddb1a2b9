# A GPS receiver on a serial line: a power pin, a time to first fix, and a recorded log sent at the line's speed.
# Silent without power; void until its first fix, whatever the recording says. A u-blox does as it is told.

from models.inputs import u32
from models.ublox import Ublox

ENTRY_BYTES = 8
LATE_MS = 1000  # a stretch that could not be sent within a second of its time is dropped whole
VOID = b"$GPGGA,,,,,,0,00,99.9,,,,,,*71\r\n$GPRMC,,V,,,,,,,,,,N*53\r\n"


class Gps:
    def __init__(self, world):
        self._world = world
        name = world.spec.get("nmea")
        self._log = world.open(name) if name else None
        self._index = world.open(world.spec["nmea_index"]) if name else None
        self._entry = bytearray(2 * ENTRY_BYTES)
        self._entries = self._index.seek(0, 2) // ENTRY_BYTES if name else 0
        self._log_bytes = self._log.seek(0, 2) if name else 0
        self.baud = world.spec.get("gps_baud", 9600)
        self.powered = False
        self.stretches_dropped = 0
        self.port = None  # machine.UART that listens, if any
        self._on_ms = 0
        self._at = 0  # next entry
        self._begin_ms = self._bytes = self._sent = self._offset = 0
        self._void = False
        self._chunk = None  # what is sent in place of the log's bytes
        self.ublox = Ublox(world.spec["ublox"]) if world.spec.get("ublox") else None

    def write(self, data):
        """The node sends something to the receiver."""
        self.pump()
        if self.powered and self.ublox is not None:
            self.ublox.write(data)

    def power(self, on):
        """The power pin changes: what is on the line by now has arrived, the rest never will."""
        if on == self.powered:
            return
        self.pump()
        self.powered = on
        self._world.note("receiver", on)
        self._bytes = self._sent = 0
        if self.ublox is not None:
            self.ublox.start()
        if on:
            self._on_ms = self._begin_ms = self._world.elapsed_ms
            self._at = self._first_entry(self._on_ms)

    def pump(self):
        """Hands the listening port every byte that has arrived by now."""
        while self.powered:
            if self._sent == self._bytes and not self._next_stretch():
                return
            # Ten bits a byte.
            due = (self._world.elapsed_ms - self._begin_ms) * (self.baud // 100) // 100
            n = min(due, self._bytes) - self._sent
            if n <= 0:
                return
            if self.port is not None:
                self.port.arrive(n, self._take)
            self._sent += n
            if self._sent < self._bytes:
                return

    def _take(self, n):
        # The next n bytes of the stretch, as they are on the line.
        if self._chunk is not None:
            data = self._chunk[self._sent : self._sent + n]
        elif self._void:
            data = VOID[self._sent : self._sent + n]
        else:
            self._log.seek(self._offset + self._sent)
            data = self._log.read(n)
        fault = self._world.fault("gps")
        if fault == "absent":
            return b""
        if fault == "crc":
            data = data.replace(b"*", b"/")
        return data

    def _next_stretch(self):
        free_ms = self._begin_ms + -(-self._bytes * 10000 // self.baud)
        self._chunk = None
        if self.ublox is not None and self.ublox.answers:
            # Between two sentences.
            self._send(max(free_ms, self._world.elapsed_ms), self.ublox.answers)
            self.ublox.answers = b""
            return True
        while self._at < self._entries:
            due_ms, offset, end = self._read_entry(self._at)
            if due_ms > self._world.elapsed_ms:
                return False
            self._at += 1
            if free_ms > due_ms + LATE_MS:
                self.stretches_dropped += 1
                continue
            self._begin_ms = max(due_ms, free_ms)
            ttff_ms = self._world.spec.get("gps_ttff_s", 0) * 1000
            self._void = due_ms < self._on_ms + ttff_ms or self._world.fault("gps") == "timeout"
            self._offset, self._sent = offset, 0
            self._bytes = len(VOID) if self._void else end - offset
            if self.ublox is not None:
                self._send(self._begin_ms, self.ublox.said(self._take(self._bytes)))
                if not self._bytes:
                    continue
            return True
        return False

    def _send(self, begin_ms, chunk):
        self._begin_ms, self._chunk, self._bytes, self._sent = begin_ms, chunk, len(chunk), 0

    def _first_entry(self, t_ms):
        """Returns the first entry due at t_ms or later."""
        low, high = 0, self._entries
        while low < high:
            middle = (low + high) // 2
            if self._read_entry(middle)[0] < t_ms:
                low = middle + 1
            else:
                high = middle
        return low

    def _read_entry(self, n):
        # (due in ms after the world's start, first byte, byte after the last)
        self._index.seek(n * ENTRY_BYTES)
        whole = self._index.readinto(self._entry) == 2 * ENTRY_BYTES
        end = u32(self._entry, ENTRY_BYTES + 4) if whole else self._log_bytes
        return u32(self._entry, 0) * 1000, u32(self._entry, 4), end
