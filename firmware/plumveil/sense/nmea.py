# Positions out of NMEA 0183, and nothing else: altitude, speed, course, time, satellites and precision are never
# parsed, the date only compared. Must never hand out a position that the receiver does not vouch for, nor hold more
# than one sentence.

_SENTENCE_MAX = 96  # NMEA 0183 allows 82 with CR LF; receivers with seven decimals send more
_FIELDS_MAX = 24

# Sentence formatters: the three letters after the talker.
_RMC = 0x524D43
_GGA = 0x474741
_GNS = 0x474E53
_GLL = 0x474C4C
_KINDS = (_RMC, _GGA, _GNS, _GLL)


class Parser:
    def __init__(self):
        self._line = bytearray(_SENTENCE_MAX)
        self._held = 0
        self._starts = bytearray(_FIELDS_MAX + 1)
        self._fields = 0
        self._lat_e6 = 0
        self._lon_e6 = 0
        self._valid = False
        # Dates that RMC may have, as bytes ddmmyy; none: any. A receiver that has another date is not believed, and
        # until it gave a right one the other kinds, which have none, are not either.
        self.dates = []
        self._dated = False
        # Sentences of the four kinds that were cut, overlong, failed their checksum or made no sense.
        self.bad_sentences = 0

    def feed(self, buf, n):
        # The first n bytes of buf. Allocates nothing.
        line = self._line
        held = self._held
        i = 0
        while i < n:
            if held == 0:
                while i < n and buf[i] != 36:  # "$"
                    i += 1
                if i < n:
                    line[0] = 36
                    held = 1
                i += 1
                continue
            b = buf[i]
            i += 1
            if 32 <= b < 127 and b != 36 and held < _SENTENCE_MAX:
                line[held] = b
                held += 1
                if held == 7 and not self._wanted():
                    held = 0
            else:
                if held >= 7 and not ((b == 13 or b == 10) and self._sentence(held)):
                    self.bad_sentences += 1
                held = 1 if b == 36 else 0
        self._held = held

    def take(self):
        # The newest position since the last call, (lat_e6, lon_e6) in 1e-6 degree, or None.
        if not self._valid:
            return None
        self._valid = False
        return self._lat_e6, self._lon_e6

    def wipe(self):
        # Forgets everything but the count.
        for i in range(_SENTENCE_MAX):
            self._line[i] = 0
        self._held = self._lat_e6 = self._lon_e6 = 0
        self._valid = self._dated = False

    def _wanted(self):
        # "$ttfff," of any talker; "$P" opens a maker's own sentences, and $PGRMC is no RMC.
        line = self._line
        return line[1] != 80 and line[6] == 44 and self._kind() in _KINDS

    def _kind(self):
        line = self._line
        return line[3] << 16 | line[4] << 8 | line[5]

    def _sentence(self, held):
        # A whole line of the four kinds -> False when it is bad; one that says "no fix" is not.
        end = held - 3
        if end < 7 or not self._checked(end) or not self._split(end):
            return False
        kind = self._kind()
        if kind == _RMC:
            at = 3
            vouched = self._letter(2, b"A") and self._mode(12)
            self._dated = self._bytes(9) == 6 and self._date(self._starts[8])
        elif kind == _GLL:
            at = 1
            vouched = self._letter(6, b"A") and self._mode(7)
        elif kind == _GGA:
            at = 2
            # 1 GNSS, 2 differential, 3 PPS, 4 and 5 RTK; 6 is estimated, 7 manual, 8 a simulator.
            vouched = self._letter(6, b"12345")
        else:
            at = 2
            vouched = self._modes(6)
        # The receiver's newest word counts: without a fix now, an earlier position is withdrawn.
        self._valid = False
        if not vouched or (self.dates and not self._dated):
            return True
        lat_e6 = self._degrees(at, 2, 90)
        lon_e6 = self._degrees(at + 2, 3, 180)
        if lat_e6 < 0 or lon_e6 < 0 or not self._letter(at + 1, b"NS") or not self._letter(at + 3, b"EW"):
            return False
        self._lat_e6 = lat_e6 if self._first(at + 1) == 78 else -lat_e6
        self._lon_e6 = lon_e6 if self._first(at + 3) == 69 else -lon_e6
        self._valid = True
        return True

    def _checked(self, end):
        # "*hh" at the end, hh the exclusive or of all between "$" and "*".
        line = self._line
        if line[end] != 42:
            return False
        check = _hex(line[end + 1]) << 4 | _hex(line[end + 2])
        for i in range(1, end):
            check ^= line[i]
        return check == 0

    def _split(self, end):
        # Where each field starts; the field after the last marks the end.
        line = self._line
        count = 0
        for i in range(6, end):
            if line[i] == 44:
                if count == _FIELDS_MAX:
                    return False
                count += 1
                self._starts[count - 1] = i + 1
        self._starts[count] = end + 1
        self._fields = count
        return True

    def _first(self, field):
        return self._line[self._starts[field - 1]]

    def _bytes(self, field):
        # Length of a field, the sentence's name being field 0; -1 when the sentence ends before it.
        if field > self._fields:
            return -1
        return self._starts[field] - self._starts[field - 1] - 1

    def _letter(self, field, allowed):
        return self._bytes(field) == 1 and self._first(field) in allowed

    def _mode(self, field):
        # The mode indicator of NMEA 2.3 and later, the last but one field at most: autonomous, differential, precise,
        # RTK. Older sentences have none. The navigational status after it (4.1) is "V" on every u-blox: not asked.
        return self._fields < field or self._letter(field, b"ADPRF")

    def _modes(self, field):
        # GNS has a letter per satellite system, N where that one is not used.
        used = False
        at = self._starts[field - 1]
        for i in range(at, at + self._bytes(field)):
            if self._line[i] not in b"ADPRFN":
                return False
            used = used or self._line[i] != 78
        return used

    def _date(self, at):
        # Whether the six bytes there are one of the dates.
        for date in self.dates:
            here = at
            for byte in date:
                if self._line[here] != byte:
                    break
                here += 1
            else:
                return True
        return False

    def _degrees(self, field, whole, limit):
        # (d)ddmm[.mmm...] -> 1e-6 degree to the nearest, halves up; -1 when it is none or beyond limit degrees.
        line = self._line
        n = self._bytes(field)
        if n < whole + 2:
            return -1
        at = self._starts[field - 1]
        dot = at + whole + 2
        end = at + n
        if end > dot and line[dot] != 46:
            return -1
        degrees = minutes_e7 = 0
        for i in range(at, end):
            digit = line[i] - 48
            if i == dot:
                continue
            if not 0 <= digit <= 9:
                return -1
            if i < at + whole:
                degrees = degrees * 10 + digit
            elif i <= dot + 7:
                # Digits after the seventh cannot change the result: both divisions below round down.
                minutes_e7 = minutes_e7 * 10 + digit
        for _ in range(end - dot - 1 if end > dot else 0, 7):
            minutes_e7 *= 10
        if minutes_e7 >= 600000000:
            return -1
        value_e6 = degrees * 1000000 + (minutes_e7 + 300) // 600
        return value_e6 if value_e6 <= limit * 1000000 else -1


def _hex(b):
    # Value of a hexadecimal digit; one that no checksum can have for anything else.
    if 48 <= b <= 57:
        return b - 48
    b |= 32
    return b - 87 if 97 <= b <= 102 else 0x100
