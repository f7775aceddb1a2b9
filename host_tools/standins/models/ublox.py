# The part of a u-blox receiver that is told what to send: UBX frames in, acknowledgements out, sentences let through
# or not. Forgets all of it without power. Sources: u-blox 8 / M8 receiver description, UBX-CFG-MSG and UBX-ACK; M10
# interface description, UBX-CFG-VALSET and CFG-MSGOUT.

# Of CFG-MSG; the same, but one that will not leave out GLL; of CFG-VALSET, which knows no CFG-MSG; one that answers
# nothing.
KINDS = ("m8", "m8 with GLL", "m10", "mute")
SYNC = b"\xb5\x62"
FRAME_MAX = 256
CFG_MSG, CFG_VALSET = b"\x06\x01", b"\x06\x8a"
NMEA = ("GGA", "GLL", "GSA", "GSV", "RMC", "VTG")  # class F0H, by number
KEYS = {0x209100BB: 0, 0x209100CA: 1, 0x209100C0: 2, 0x209100C5: 3, 0x209100AC: 4, 0x209100B1: 5}


def frame(kind, payload):
    """A UBX frame around class and id, and a payload."""
    body = kind + bytes((len(payload) & 255, len(payload) >> 8)) + payload
    return SYNC + body + checksum(body)


def checksum(body):
    a = b = 0
    for byte in body:
        a = (a + byte) & 255
        b = (b + a) & 255
    return bytes((a, b))


class Ublox:
    def __init__(self, kind):
        if kind not in KINDS:
            raise ValueError("world: no such u-blox")
        self._kind = kind
        self.frames = 0  # sound ones that came
        self.start()

    def start(self):
        """Power comes or goes: what it was told is lost."""
        self.rates = [1] * len(NMEA)
        self.answers = b""
        self._held = b""

    def write(self, data):
        """The node sends something."""
        self._held += data
        while True:
            at = self._held.find(SYNC)
            if at < 0:
                self._held = self._held[-1:]
                return
            self._held = self._held[at:]
            if len(self._held) < 8:
                return
            size = self._held[4] | self._held[5] << 8
            if size <= FRAME_MAX and len(self._held) < size + 8:
                return
            body = self._held[2 : size + 6]
            if size > FRAME_MAX or checksum(body) != self._held[size + 6 : size + 8]:
                self._held = self._held[2:]
                continue
            self._held = self._held[size + 8 :]
            self.frames += 1
            self._obey(body[:2], body[4:])

    def _obey(self, kind, payload):
        done = self._kind.startswith("m8") and kind == CFG_MSG and self._by_rate(payload)
        done = done or (self._kind == "m10" and kind == CFG_VALSET and self._by_key(payload))
        if self._kind != "mute":
            self.answers += frame(b"\x05\x01" if done else b"\x05\x00", kind)

    def _by_rate(self, payload):
        # Class, number, rate on the port that it came in by.
        if len(payload) != 3 or payload[0] != 0xF0 or payload[1] >= len(NMEA):
            return False
        if self._kind == "m8 with GLL" and NMEA[payload[1]] == "GLL":
            return False
        self.rates[payload[1]] = payload[2]
        return True

    def _by_key(self, payload):
        # Version 0, layers with RAM among them, two reserved, then keys of four bytes with values of one.
        if len(payload) < 4 or payload[0] != 0 or not payload[1] & 1 or (len(payload) - 4) % 5:
            return False
        wanted = [(int.from_bytes(payload[i : i + 4], "little"), payload[i + 4]) for i in range(4, len(payload), 5)]
        if not all([key in KEYS for key, _ in wanted]):
            return False
        for key, rate in wanted:
            self.rates[KEYS[key]] = rate
        return True

    def said(self, data):
        """What it sends of a stretch of output."""
        off = [NMEA[n].encode() for n in range(len(NMEA)) if not self.rates[n]]
        return b"".join([line for line in _lines(data) if line[3:6] not in off])


def _lines(data):
    # MicroPython's bytes have no splitlines.
    lines = []
    while data:
        end = data.find(b"\n") + 1 or len(data)
        lines.append(data[:end])
        data = data[end:]
    return lines
