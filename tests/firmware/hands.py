# A hand's surroundings in a test's hands: time, serial line, button, LED. Ctrl-C is an interrupt while the node
# listens, and a byte of the line while it does not, as on an ESP32.

from plumveil.hand import Hand

CTRL_C = b"\x03"


class Time:
    # At a moment, in ms, something comes: Ctrl-C, or a call.
    def __init__(self):
        self.ms = 0x3FFFFF00  # ticks wrap within the first second
        self.comes = []
        self.slept = []
        self.listening = -1
        self.pending = False
        self.typed = bytearray()

    def ticks_ms(self):
        return self.ms & 0x3FFFFFFF

    def ticks_diff(self, a, b):
        return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000

    def sleep_ms(self, n_ms):
        # Handles what is pending first, as mp_hal_delay_ms does.
        self.take_pending()
        self.slept.append(n_ms)
        end_ms = self.ms + n_ms
        while self.comes and self.comes[0][0] <= end_ms:
            self.ms = max(self.ms, self.comes[0][0])
            self.comes.pop(0)[1]()
            self.take_pending()
        self.ms = end_ms

    def take_pending(self):
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt

    def after(self, ms, what):
        self.comes.append((self.ms + ms, what))

    def kbd_intr(self, key):
        self.listening = key

    def type(self, text=CTRL_C):
        for byte in text:
            if byte == self.listening:
                self.pending = True
            else:
                self.typed.append(byte)


class Line:
    # sys.stdin.buffer, and a select.poll that watches it.
    def __init__(self, time):
        self.time = time

    def ipoll(self, timeout_ms):
        return ((self, 1),) if self.time.typed else ()

    def readinto(self, buf):
        buf[0] = self.time.typed[0]
        self.time.typed[:] = self.time.typed[1:]
        return 1


class Button:
    def __init__(self):
        self.level = 1

    def value(self):
        return self.level

    def press(self):
        self.level = 0

    def let_go(self):
        self.level = 1


class Led:
    # low: it is lit while its pin is low.
    def __init__(self, time, low=None):
        self.time = time
        self.low = low
        self.shown = []

    def level(self, level):
        self.shown.append((self.time.ms, bool(level) != bool(self.low)))

    def lit(self):
        return self.shown[-1][1] if self.shown else False


class Desk:
    # The app's desk as far as a hand goes.
    def __init__(self):
        self.on = 3
        self.taken_back = []
        self.fails = None

    def tier(self):
        return self.on

    def withdraw(self, by):
        if self.fails:
            raise self.fails
        self.on = 0
        self.taken_back.append(by)


def hand(time, button=None, led=None, desk=None):
    line = Line(time)
    level = led.level if led else int
    low = led and led.low
    return Hand(time, time.kbd_intr, line, line.ipoll, button, level, low, (desk or Desk()).tier)
