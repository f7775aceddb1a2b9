# The technician's hand: the button, the LED, and Ctrl-C, which only a wait hears.
import unittest

import hands

from plumveil.errors import ButtonHeld
from plumveil.hand import HELD_MS, SLICE_MS

try:
    from micropython import heap_lock, heap_unlock
except ImportError:
    heap_lock = heap_unlock = int  # CPython


class Still:
    # A time, line and button that allocate nothing.
    ms = 0
    waiting = ()

    def ticks_ms(self):
        return self.ms

    def ticks_diff(self, a, b):
        return a - b

    def sleep_ms(self, n_ms):
        self.ms += n_ms

    def kbd_intr(self, key):
        pass

    def ipoll(self, timeout_ms):
        return self.waiting

    def value(self):
        return 1


class CtrlC(unittest.TestCase):
    def setUp(self):
        self.time = hands.Time()
        self.hand = hands.hand(self.time)

    def test_without_a_button_a_wait_is_one_sleep_and_deaf_after_it(self):
        began_ms = self.time.ms
        self.hand.wait_ms(60000)
        self.assertEqual((self.time.ms - began_ms, self.time.slept), (60000, [60000, 0]))
        self.assertEqual(self.time.listening, -1)

    def test_it_breaks_a_wait_off(self):
        began_ms = self.time.ms
        self.time.after(1234, self.time.type)
        with self.assertRaises(KeyboardInterrupt):
            self.hand.wait_ms(60000)
        self.assertEqual((self.time.ms - began_ms, self.time.listening), (1234, -1))
        self.assertEqual(bytes(self.time.typed), b"")

    def test_it_breaks_nothing_else_off_and_the_next_wait_finds_it(self):
        self.time.after(100, lambda: self.time.type(b"\r\x03\x03\r\x01"))
        self.time.sleep_ms(5000)
        with self.assertRaises(KeyboardInterrupt):
            self.hand.wait_ms(60000)
        # What follows is for the prompt.
        self.assertEqual(bytes(self.time.typed), b"\x03\r\x01")
        self.assertEqual(self.time.slept, [5000, 0])

    def test_what_else_is_typed_is_for_nobody(self):
        self.time.type(b"print(1)\r\n")
        self.hand.wait_ms(10)
        self.assertEqual((bytes(self.time.typed), self.time.slept), (b"", [10, 0]))

    def test_one_of_the_last_moment_comes_out_of_the_wait_itself(self):
        # Pending when the wait is over, as an interrupt is that came after the sleep's last look.
        plain = self.time.sleep_ms

        def sleep_ms(n_ms):
            if n_ms:
                self.time.ms += n_ms
                self.time.type()
            else:
                plain(0)

        self.time.sleep_ms = sleep_ms
        with self.assertRaises(KeyboardInterrupt):
            self.hand.wait_ms(250)
        self.assertEqual(self.time.listening, -1)

    def test_a_call_to_somebody_far_away_hears_it(self):
        heard = []

        def call(a, b):
            heard.append(self.time.listening)
            return a + b

        self.assertEqual(self.hand.heard(call, 1, 2), 3)
        self.assertEqual((heard, self.time.listening), ([3], -1))
        self.time.type()
        with self.assertRaises(KeyboardInterrupt):
            self.hand.heard(call, 1, 2)
        self.assertEqual((heard, self.time.listening), ([3], -1))


class Pressed(unittest.TestCase):
    def setUp(self):
        self.time = hands.Time()
        self.button = hands.Button()
        self.hand = hands.hand(self.time, self.button)

    def press(self, from_ms, to_ms):
        self.time.after(from_ms, self.button.press)
        self.time.after(to_ms, self.button.let_go)

    def test_five_seconds_break_a_wait_off(self):
        began_ms = self.time.ms
        self.press(700, 20000)
        with self.assertRaises(ButtonHeld):
            self.hand.wait_ms(60000)
        passed_ms = self.time.ms - began_ms
        self.assertTrue(700 + HELD_MS <= passed_ms <= 700 + HELD_MS + 2 * SLICE_MS)
        self.assertTrue(max(self.time.slept) <= SLICE_MS <= 250)
        self.assertEqual(self.time.listening, -1)

    def test_a_wait_with_a_button_is_as_long_as_without(self):
        for n_ms in (1, 250, 251, 60000):
            began_ms = self.time.ms
            self.hand.wait_ms(n_ms)
            self.assertEqual(self.time.ms - began_ms, n_ms)
        self.hand.wait_ms(0)
        self.hand.wait_ms(-5)

    def test_less_is_nothing(self):
        self.press(100, HELD_MS - 300)
        self.press(HELD_MS, HELD_MS + 1000)
        self.hand.wait_ms(30000)

    def test_it_counts_over_short_waits(self):
        self.button.press()
        waits = 0
        with self.assertRaises(ButtonHeld):
            while waits < 100:
                self.hand.wait_ms(100)
                waits += 1
        self.assertTrue(HELD_MS // 100 - 2 <= waits <= HELD_MS // 100 + 2)

    def test_a_step_in_the_middle_of_it_counts_for_a_second(self):
        self.button.press()
        self.hand.wait_ms(2000)
        self.time.sleep_ms(8000)
        self.hand.wait_ms(1000)
        began_ms = self.time.ms
        with self.assertRaises(ButtonHeld):
            self.hand.wait_ms(3000)
        self.assertTrue(500 <= self.time.ms - began_ms <= 2000)

    def test_it_is_felt_before_every_call_to_somebody_far_away(self):
        self.button.press()
        calls = []
        with self.assertRaises(ButtonHeld):
            while len(calls) < 100:
                calls.append(self.hand.heard(self.time.sleep_ms, 500))
        self.assertTrue(len(calls) <= HELD_MS // 500 + 2)

    def test_held_on_it_is_told_once_in_five_seconds(self):
        self.button.press()
        for _ in range(2):
            began_ms = self.time.ms
            with self.assertRaises(ButtonHeld):
                self.hand.wait_ms(60000)
            self.assertTrue(self.time.ms - began_ms >= HELD_MS)

    def test_a_slice_costs_no_heap(self):
        still = Still()
        from plumveil.hand import Hand

        one = Hand(still, still.kbd_intr, still, still.ipoll, still, int, None, None)
        one.wait_ms(10)
        wait = one._wait
        heap_lock()
        try:
            wait(10 * SLICE_MS)
        finally:
            heap_unlock()
        self.assertEqual(still.ms, 10 + 10 * SLICE_MS)


class Shown(unittest.TestCase):
    def setUp(self):
        self.time = hands.Time()
        self.led = hands.Led(self.time)
        self.desk = hands.Desk()
        self.hand = hands.hand(self.time, led=self.led, desk=self.desk)

    def test_rest_shows_whether_location_is_on(self):
        self.hand.rest_ms(1000)
        self.assertTrue(self.led.lit())
        self.desk.on = 0
        self.hand.rest_ms(1000)
        self.assertFalse(self.led.lit())

    def test_the_answer_blinks_quickly_and_ends_with_the_truth(self):
        for on in (0, 3):
            self.desk.on = on
            self.led.shown = []
            self.hand.answer()
            levels = [level for _, level in self.led.shown]
            self.assertTrue(len([n for n in range(1, len(levels)) if levels[n] and not levels[n - 1]]) >= 5)
            self.assertTrue(self.led.shown[-1][0] - self.led.shown[0][0] <= 1500)
            self.assertEqual(self.led.lit(), bool(on))

    def test_one_that_is_lit_when_low(self):
        led = hands.Led(self.time, low=1)
        hand = hands.hand(self.time, led=led, desk=self.desk)
        for on in (0, 3):
            self.desk.on = on
            hand.rest_ms(10)
            self.assertEqual(led.lit(), bool(on))

    def test_without_an_led(self):
        blind = hands.hand(self.time)
        blind.rest_ms(10)
        blind.answer()


if __name__ == "__main__":
    unittest.main()
