# ST LIS3DH (DocID17530 rev 2): registers, auto-increment, 32-level FIFO, left-justified data, threshold interrupt 1
# with latch on INT1. A setting that is not modelled is refused loudly, so that no driver leans on it.

WHO_AM_I, CTRL1, CTRL2, CTRL3, CTRL4, CTRL5, CTRL6, REFERENCE = 0x0F, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26
STATUS, OUT, OUT_END, FIFO_CTRL, FIFO_SRC = 0x27, 0x28, 0x2D, 0x2E, 0x2F
INT1_CFG, INT1_SRC, INT1_THS, INT1_DURATION = 0x30, 0x31, 0x32, 0x33
WRITABLE = (0x1F, CTRL1, CTRL2, CTRL3, CTRL4, CTRL5, CTRL6, REFERENCE, FIFO_CTRL, INT1_CFG, INT1_THS, INT1_DURATION)
# Bits that may be set: the others are features the model has not got.
MODELLED = {CTRL2: 0x01, CTRL3: 0x40, CTRL4: 0xB8, CTRL5: 0x48, CTRL6: 0x00, FIFO_CTRL: 0x9F, INT1_CFG: 0x2A, 0x1F: 0}

RATES_HZ = (0, 1, 10, 25, 50, 100, 200, 400)  # CTRL_REG1, ODR
MG_PER_DIGIT = (1, 2, 4, 12)  # mechanical characteristics, So, 12 bits
THRESHOLD_MG = (16, 32, 62, 186)  # INT1_THS, per digit
FIFO_LEVELS = 32
SHOCK_MS = 60
SETTLE_SAMPLES = 50  # of the high-pass filter, cut-off at a fiftieth of the data rate, left to itself
NOISE_MG = 6  # mechanical characteristics: 220 ug/sqrt(Hz), at 100 Hz


class Lis3dh:
    def __init__(self, world):
        self._world = world
        self._shocks = world.spec.get("shocks", ())
        self._gravity = world.spec.get("gravity_mg", (38, -61, 997))
        self._noise_mg = world.spec.get("vibration_mg", NOISE_MG)
        self._seed = (world.spec.get("noise_seed", 0) * 2654435 + 3) & 0x3FFF
        self._registers = bytearray(0x40)
        self._registers[WHO_AM_I] = 0x33
        self._registers[CTRL1] = 0x07
        self._pointer = 0
        self._step = 0
        self._sample = bytearray(6)
        self._start_ms = 0  # of the present data rate
        self._oldest = 0  # index of the first sample not read
        self._overrun = False
        self._judged = 0  # samples below this have been held against the threshold
        self._latch = 0
        self._settled = 0  # first sample that the high-pass filter has settled for

    def write(self, data):
        """Master writes: sub-address (bit 7: increment), then registers. Returns True for ACK."""
        if data:
            self._pointer, self._step = data[0] & 0x7F, data[0] >> 7
            for value in data[1:]:
                self._put(self._pointer, value)
                self._pointer += self._step
        return True

    def read(self, buf):
        """Master reads on from the sub-address. Returns True for ACK."""
        i = 0
        while i < len(buf):
            if self._pointer == OUT and self._step and len(buf) - i >= 6:
                self._load()
                buf[i : i + 6] = self._sample
                self._pointer = OUT_END
                i += 6
            else:
                buf[i] = self._get(self._pointer)
                i += 1
            # Section 5.1: a burst of the FIFO goes from OUT_Z_H back to OUT_X_L.
            if self._pointer == OUT_END and self._fifo_mode():
                self._pointer = OUT
            else:
                self._pointer += self._step
        return True

    def int1(self):
        """Returns the level of pin INT1 now."""
        self._judge(self._produced(), False)
        return 1 if self._latch and self._registers[CTRL3] & 0x40 else 0

    def next_edge_ms(self, until_ms):
        """Returns when INT1 rises, at the earliest, up to until_ms (ms after the world's start), or None."""
        if self._latch or not self._registers[CTRL3] & 0x40:
            return None
        index = self._judge(self._produced(until_ms), True)
        return None if index is None else max(self._time_ms(index), self._world.elapsed_ms)

    # --- registers -------------------------------------------------------------------------------------------

    def _put(self, register, value):
        if register not in WRITABLE:
            return
        if value & ~MODELLED.get(register, 0xFF) & 0xFF:
            raise ValueError("lis3dh model: setting not modelled in register 0x%02x" % register)
        self._judge(self._produced(), False)
        restart = register == CTRL1 and value >> 4 != self._registers[CTRL1] >> 4
        self._registers[register] = value
        if restart:
            self._settled = SETTLE_SAMPLES
            self._start_ms = self._world.elapsed_ms
            self._oldest = self._judged = 0
        if register in (FIFO_CTRL, CTRL5) and not self._fifo_mode():
            self._oldest = self._produced()
            self._overrun = False

    def _get(self, register):
        if register == FIFO_SRC:
            held = self._held()
            watermark = 0x80 if held > self._registers[FIFO_CTRL] & 0x1F else 0
            return watermark | (0x40 if self._overrun else 0) | (0 if held else 0x20) | min(held, 31)
        if register == INT1_SRC:
            self._judge(self._produced(), False)
            source, self._latch = self._latch, 0
            return source
        if register == REFERENCE:
            # Reading it takes the present acceleration for the filter's zero.
            self._settled = min(self._settled, self._produced() + 2)
        if register == STATUS:
            return 0x0F if self._held() else 0
        if OUT <= register <= OUT_END:
            if register == OUT:
                self._load()
            return self._sample[register - OUT]
        return self._registers[register] if register < 0x40 else 0

    def _fifo_mode(self):
        return self._registers[FIFO_CTRL] >> 6 if self._registers[CTRL5] & 0x40 else 0

    # --- samples: numbered from 0 since the data rate was set -----------------------------------------------------

    def _rate_hz(self):
        return RATES_HZ[min(self._registers[CTRL1] >> 4, 7)]

    def _produced(self, at_ms=None):
        # By whole seconds, so that the numbers stay small ones.
        seconds, ms = divmod((self._world.elapsed_ms if at_ms is None else at_ms) - self._start_ms, 1000)
        return seconds * self._rate_hz() + ms * self._rate_hz() // 1000

    def _time_ms(self, index):
        # Of sample `index`, the first being one period after the start; rounded up, so that it has been produced.
        seconds, rest = divmod(index + 1, self._rate_hz())
        return self._start_ms + seconds * 1000 + -(-rest * 1000 // self._rate_hz())

    def _held(self):
        held = self._produced() - self._oldest
        levels = FIFO_LEVELS if self._fifo_mode() else 1
        self._overrun = self._fifo_mode() > 0 and held >= levels
        if held > levels:
            self._oldest += held - levels
            held = levels
        return held

    def _load(self):
        # The oldest sample; with none held, the last one stays in the registers.
        if not self._held():
            return
        scale = MG_PER_DIGIT[self._registers[CTRL4] >> 4 & 3]
        # Operating modes: 8 bits in low-power mode, 12 in high resolution, 10 otherwise and in the FIFO.
        bits = 8 if self._registers[CTRL1] & 8 else 12 if self._registers[CTRL4] & 8 and not self._fifo_mode() else 10
        vector = self._acceleration(self._oldest)
        for axis in range(3):
            digits = min(max(vector[axis] // scale, -2048), 2047) >> 12 - bits << 16 - bits
            if not self._registers[CTRL1] >> axis & 1:
                digits = 0
            self._sample[2 * axis], self._sample[2 * axis + 1] = digits & 0xFF, digits >> 8 & 0xFF
        self._oldest += 1

    def _acceleration(self, index):
        """Returns the vector in mg at sample `index`: gravity, noise and a shock's pulse."""
        peak_mg, direction = self._shock_at(self._time_ms(index))
        # Noise by index, so that a sample is the same whenever it is looked at.
        x = (index & 0x3FFF) * 40503 + self._seed
        vector = []
        for axis in range(3):
            x = (x ^ x >> 7) & 0xFFFF
            noise = (x * (2 * self._noise_mg + 1) >> 16) - self._noise_mg
            x = x * 9377 & 0x3FFFFFFF
            vector.append(self._gravity[axis] + noise + peak_mg * direction[axis] // 1000)
        return vector

    def _shock_at(self, t_ms):
        # [offset_s, peak_mg] or [offset_s, peak_mg, [x, y, z permille]]: a parabolic pulse of SHOCK_MS.
        after = self._shocks_from(t_ms - SHOCK_MS)
        if after < len(self._shocks):
            shock = self._shocks[after]
            into_ms = t_ms - shock[0] * 1000
            if 0 <= into_ms < SHOCK_MS:
                pulse_mg = shock[1] * 4 * into_ms * (SHOCK_MS - into_ms) // (SHOCK_MS * SHOCK_MS)
                return pulse_mg, shock[2] if len(shock) > 2 else (1000, 0, 0)
        return 0, (0, 0, 0)

    def _shocks_from(self, t_ms):
        """Returns the index of the first shock that begins after t_ms."""
        low, high = 0, len(self._shocks)
        while low < high:
            middle = (low + high) // 2
            if self._shocks[middle][0] * 1000 <= t_ms:
                low = middle + 1
            else:
                high = middle
        return low

    # --- interrupt 1 ------------------------------------------------------------------------------------------

    def _judge(self, end, stop):
        """Holds the samples up to `end` against the threshold. Returns the first that raises the latch, if `stop`."""
        if not self._rate_hz() or not self._registers[INT1_CFG]:
            self._judged = end
            return None
        index = self._judged
        while index < end and not self._latch:
            self._latch = self._over(index)
            if self._latch and not self._registers[CTRL5] & 0x08:
                raise ValueError("lis3dh model: interrupt 1 without latch is not modelled")
            if self._latch and stop:
                self._judged = index + 1
                return index
            index = self._next_candidate(index)
        self._judged = end
        return None

    def _next_candidate(self, index):
        # Between shocks only noise moves the chip, far below any threshold: go to the next shock's first sample.
        if index < self._settled:
            return index + 1
        t_ms = self._time_ms(index)
        after = self._shocks_from(t_ms - SHOCK_MS)
        if after == len(self._shocks):
            return 1 << 30
        begin_ms = self._shocks[after][0] * 1000
        if begin_ms <= t_ms:
            return index + 1
        return max(index + 1, (begin_ms - self._start_ms) * self._rate_hz() // 1000 - 1)

    def _over(self, index):
        """Returns INT1_SRC if sample `index` is above the threshold on an enabled axis, else 0."""
        threshold = self._registers[INT1_THS] * THRESHOLD_MG[self._registers[CTRL4] >> 4 & 3]
        high_pass = self._registers[CTRL2] & 1
        source = 0
        vector = self._acceleration(index)
        for axis in range(3):
            # The high-pass filter takes out what does not change, once it has settled.
            value = vector[axis] - (self._gravity[axis] if high_pass and index >= self._settled else 0)
            if abs(value) > threshold and self._registers[INT1_CFG] >> 2 * axis & 2:
                source |= 0x40 | 2 << 2 * axis
        return source
