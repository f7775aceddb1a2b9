# The technician's hand on a node that runs: the button that takes consent back, the LED that tells, Ctrl-C at the
# serial line. Felt in waits alone: a step, and what it writes, is never broken off in the middle.

from plumveil.errors import ButtonHeld

HELD_MS = 5000  # so long the button is held down
SLICE_MS = 250  # so often it is looked at
_LOOK_MAX_MS = 1000  # what a look counts for at most: in a step nobody looks
_CTRL_C = 3
_BLINKS = 8
_BLINK_MS = 60


class Hand:
    # time: the port's `time`; kbd_intr: micropython.kbd_intr; line: sys.stdin.buffer; waiting: ipoll of a select.poll
    # that watches it; button: machine.Pin, low while it is down, or None; led: sets the LED's level; led_low: it is
    # lit by a low one; is_on: () -> whether location is on.
    def __init__(self, time, kbd_intr, line, waiting, button, led, led_low, is_on):
        self._time = time
        self._kbd_intr = kbd_intr
        self._line = line
        self._waiting = waiting
        self.button = button
        self._led = led
        self._led_low = bool(led_low)
        self._is_on = is_on
        self._byte = bytearray(1)
        self._seen_ms = 0
        self._held_ms = 0

    def heard(self, call, *arguments):
        # call(*arguments), which waits for something: Ctrl-C may break it off, with KeyboardInterrupt.
        try:
            self._kbd_intr(_CTRL_C)
            self._hear()
            return call(*arguments)
        finally:
            self._kbd_intr(-1)
            # Ctrl-C of the last moment comes out of here, and not of what is done next.
            self._time.sleep_ms(0)

    def wait_ms(self, n_ms):
        # A wait that may be broken off, by ButtonHeld too.
        self.heard(self._wait, n_ms)

    def _wait(self, n_ms):
        time = self._time
        since_ms = time.ticks_ms()
        left_ms = n_ms
        while left_ms > 0:
            if self.button:
                self._look()
                left_ms = min(left_ms, SLICE_MS)
            time.sleep_ms(left_ms)
            left_ms = n_ms - time.ticks_diff(time.ticks_ms(), since_ms)

    def pressed(self):
        return self.button and not self.button.value()

    def light(self, on):
        self._led(bool(on) != self._led_low)

    def _look(self):
        time = self._time
        now_ms = time.ticks_ms()
        if self.pressed():
            self._held_ms += min(time.ticks_diff(now_ms, self._seen_ms), _LOOK_MAX_MS) if self._held_ms else 1
        else:
            self._held_ms = 0
        self._seen_ms = now_ms
        if self._held_ms > HELD_MS:
            self._held_ms = 0
            raise ButtonHeld

    def _hear(self):
        # Ctrl-C that came while nobody listened lies among what was typed. The rest of it is for nobody. Then the
        # button.
        while True:
            for _ in self._waiting(0):
                break
            else:
                return self._look()
            self._line.readinto(self._byte)
            if self._byte[0] == _CTRL_C:
                raise KeyboardInterrupt

    def rest_ms(self, n_ms):
        # What a node on mains does between two steps.
        self.light(self._is_on())
        self.wait_ms(n_ms)

    def answer(self):
        # It is done: seen without a screen.
        for n in range(2 * _BLINKS):
            self.light(n & 1)
            self._time.sleep_ms(_BLINK_MS)
        self.light(self._is_on())
