# The position receiver: powered and read only while a position is searched, and for no longer than it may take. Must
# never leave its power on, nor be content with what it said before.

from plumveil.sense.nmea import Parser

_READ_BYTES = 128
_POLL_MS = 100
_STALE_READS = 64  # more than any receive buffer holds
_ANSWER_MS = 2500  # an answer waits for what is being sent: two seconds of sentences at 9600 baud
FRESH_S = 5400  # an ephemeris is good for two hours around its time


def _ubx(body):
    # A UBX frame around class, id, length and payload ("UBX Checksum": 8-bit Fletcher).
    a = b = 0
    for byte in body:
        a += byte
        b += a
    return b"\xb5\x62" + body + bytes((a & 255, b & 255))


# What a u-blox is to send at each fix: of its usual sentences, GGA, GLL, GSA, GSV, RMC and VTG, only RMC, which has
# position, mode and date. (frames, the answer to each, how many.) UBX-CFG-MSG by message and rate, up to generation 9
# (u-blox 8 / M8 receiver description); UBX-CFG-VALSET in RAM by CFG-MSGOUT-NMEA_ID_*_UART1, from generation 9 on (M10
# interface description). Answer: UBX-ACK-ACK.
def _settings():
    by_rate = b"".join([_ubx(b"\x06\x01\x03\x00\xf0" + bytes((n, n == 4))) for n in range(6)])
    yield by_rate, _ubx(b"\x05\x01\x02\x00\x06\x01"), 6
    by_key = b"".join([bytes((key, 0, 0x91, 0x20, key == 0xAC)) for key in b"\xbb\xca\xc0\xc5\xac\xb1"])
    yield _ubx(b"\x06\x8a\x22\x00\x00\x01\x00\x00" + by_key), _ubx(b"\x05\x01\x02\x00\x06\x8a"), 1


class Receiver:
    # uart: machine.UART; power: machine.Pin, high for on, or axp.Rail; clock: plumveil.clock.Clock; ttf_max_ms:
    # longest search; ublox: it takes UBX; backup: it keeps time and ephemeris while its power is off.
    def __init__(self, uart, power, clock, ttf_max_ms, ublox=False, backup=False):
        self._uart = uart
        self._power = power
        self._clock = clock
        self._ttf_max_ms = ttf_max_ms
        self._ublox = ublox
        # Seconds since boot at which what is broadcast was last listened to; None: there is nothing to keep it in.
        self._fresh_s = -FRESH_S if backup else None
        self._started_ms = 0
        self._parser = Parser()
        self._buf = bytearray(_READ_BYTES)
        self._off()

    def fix(self):
        # -> (lat_e6, lon_e6) in 1e-6 degree, or None when there was no fix in time, or no receiver. Powered and read
        # only while this runs. Takes ttf_max_ms whatever comes: how soon there is a fix tells of sky and place.
        # Broken off by the technician it ends, and its power, at once.
        position = self._powered()
        self._wait()
        return position

    def _left_ms(self):
        return self._ttf_max_ms - self._clock.elapsed_ms(self._started_ms)

    def _wait(self):
        left_ms = self._left_ms()
        if left_ms > 0:
            self._clock.wait_ms(left_ms)

    def _powered(self):
        self._started_ms = self._clock.ticks_ms()
        try:
            self._power.value(1)
            position = self._search()
            if position and self._fresh_s is not None and self._clock.up_s() - self._fresh_s >= FRESH_S:
                # A search ends with its first fix, and with that the time to hear of all satellites: now and then
                # all of its time is used.
                self._wait()
                self._fresh_s = self._clock.up_s()
            return position
        except OSError:
            return None
        finally:
            self._off()
            self._parser.wipe()
            for i in range(_READ_BYTES):
                self._buf[i] = 0

    def _off(self):
        try:
            self._power.value(0)
        except OSError:
            # A power chip that does not answer: tried again with the next search.
            pass

    def take_bad(self):
        # Sentences refused since the last call.
        bad = self._parser.bad_sentences
        self._parser.bad_sentences = 0
        return bad

    def _search(self):
        self._parser.dates = self._clock.dates()
        unset = self._ublox
        # What the port received before this search is an old position.
        for _ in range(_STALE_READS):
            if not self._uart.readinto(self._buf):
                break
        while self._left_ms() > 0:
            n = self._uart.readinto(self._buf)
            if not n:
                self._clock.wait_ms(_POLL_MS)
                continue
            if unset:
                # It speaks, so it listens. Set at each start: it may have lost its power for good.
                unset = False
                if not self._set():
                    self._parser.bad_sentences += 1
                continue
            self._parser.feed(self._buf, n)
            fix = self._parser.take()
            if fix is not None:
                return fix
        return None

    def _set(self):
        # Tells a u-blox what to send -> whether it said yes.
        for frames, answer, n in _settings():
            self._uart.write(frames)
            if self._answered(answer, n):
                return True
        return False

    def _answered(self, answer, n):
        # Whether the answer came n times, whatever came between.
        at = 0
        since_ms = self._clock.ticks_ms()
        while self._clock.elapsed_ms(since_ms) < _ANSWER_MS and self._left_ms() > 0:
            got = self._uart.readinto(self._buf) or 0
            for i in range(got):
                # Its first byte comes in it once.
                at = at + 1 if self._buf[i] == answer[at] else int(self._buf[i] == answer[0])
                if at == len(answer):
                    at = 0
                    n -= 1
            if n <= 0:
                return True
            if not got:
                self._clock.wait_ms(_POLL_MS)
        return False
