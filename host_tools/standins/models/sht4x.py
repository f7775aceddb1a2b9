# Sensirion SHT4x (its datasheet's chapters are named below): commands, measurement time, NACK while busy, CRC of each
# word.

from models.inputs import div_nearest

# Command overview and timings: command -> (longest duration in ms, noise span in m%RH; the temperature's is a quarter
# of it).
MEASURE = {0xFD: (9, 80), 0xF6: (5, 150), 0xE0: (2, 250)}
READ_SERIAL = 0x89
SOFT_RESET = 0x94
RESET_MS = 1


class Sht4x:
    def __init__(self, world):
        self._world = world
        self._temperature = world.quantity("temperature", 21000)
        self._humidity = world.quantity("humidity", 45000)
        self._noise = world.noise(1)
        self._serial = world.spec.get("sht4x_serial", 0x0F4A9C31)
        self._busy_until_ms = 0
        self._answer = None

    def write(self, data):
        """Master writes; data is without the address. Returns False for a NACK."""
        if self._busy():
            return False
        if not data:
            return True
        command = data[0]
        if command in MEASURE:
            ms, span = MEASURE[command]
            self._busy_until_ms = self._world.elapsed_ms + ms
            self._answer = self._measured(span)
        elif command == READ_SERIAL:
            self._answer = words(self._serial >> 16, self._serial & 0xFFFF)
        elif command == SOFT_RESET:
            self._busy_until_ms = self._world.elapsed_ms + RESET_MS
            self._answer = None
        else:
            return False
        return True

    def read(self, buf):
        """Master reads len(buf) bytes. Returns False for a NACK: busy, or nothing to say. An answer is given once."""
        if self._busy() or self._answer is None:
            return False
        for i in range(len(buf)):
            buf[i] = self._answer[i] if i < 6 else 0xFF
        if self._world.fault("sht4x") == "crc":
            buf[len(buf) - 1] ^= 0x10
        self._answer = None
        return True

    def _busy(self):
        return self._world.elapsed_ms < self._busy_until_ms

    def _measured(self, span):
        t_s = self._world.elapsed_ms // 1000
        t_milli = self._temperature.at(t_s) + self._noise.next(span // 4)
        rh_milli = self._humidity.at(t_s) + self._noise.next(span)
        # Conversion of signal output, turned round: T = -45 + 175 S/65535, RH = -6 + 125 S/65535.
        return words(ticks(t_milli + 45000, 175000), ticks(rh_milli + 6000, 125000))


def ticks(value, full):
    return min(max(div_nearest(value * 65535, full), 0), 65535)


def words(first, second):
    """Returns two 16-bit words, each with its CRC."""
    answer = bytearray()
    for word in (first, second):
        answer += bytes((word >> 8, word & 0xFF, crc(word)))
    return answer


def crc(word):
    """CRC-8 of a 16-bit word: remainder of the division by x^8 + x^5 + x^4 + 1, started with 0xFF."""
    rest = (word ^ 0xFF00) << 8
    for bit in range(23, 7, -1):
        if rest >> bit & 1:
            rest ^= 0x131 << bit - 8
    return rest
