# The loop: what breaks a step or a rest off, and what becomes of it.
import unittest

import hands

from plumveil import loop, terms
from plumveil.errors import ButtonHeld, SealRefused


class App:
    # What the loop knows of the app, and a rest that is broken off when the test says so.
    def __init__(self):
        self.time = hands.Time()
        self.desk = hands.Desk()
        self.led = hands.Led(self.time)
        self.hand = hands.hand(self.time, led=self.led, desk=self.desk)
        self.trial = None
        self.next_s = 0
        self.failed_steps = self.failed_in_a_row = 0
        self.steps = 0
        self.rests = []
        self.breaks = {}  # "step" or "rest": what it raises, once

    def step(self):
        self.steps += 1
        self.break_off("step")
        return 60000

    def rest_ms(self, n_ms):
        self.rests.append(n_ms)
        self.break_off("rest")

    def break_off(self, where):
        why = self.breaks.pop(where, None)
        if why:
            raise why


class Loop(unittest.TestCase):
    def setUp(self):
        self.app = App()

    def turn(self):
        loop.turn(self.app, self.fail)

    def test_the_button_takes_consent_back_whatever_is_under_way(self):
        for where in ("step", "rest"):
            self.app.desk.on = 3
            self.app.led.shown = []
            self.app.breaks = {where: ButtonHeld()}
            self.turn()
            self.assertEqual(self.app.desk.on, 0)
            self.assertTrue(len(self.app.led.shown) > 8)
            self.assertFalse(self.app.led.lit())
        self.assertEqual(self.app.desk.taken_back, [terms.BY_BUTTON, terms.BY_BUTTON])
        self.assertEqual(self.app.failed_steps, 0)
        self.turn()
        self.assertEqual(self.app.steps, 3)

    def test_a_withdrawal_that_fails_is_a_failed_step_and_no_answer(self):
        self.app.desk.fails = SealRefused("flash")
        self.app.breaks = {"rest": ButtonHeld()}
        self.turn()
        self.assertEqual((self.app.failed_steps, self.app.led.shown), (1, []))
        self.app.desk.fails = None
        self.app.breaks = {"rest": ButtonHeld()}
        self.turn()
        self.assertEqual((self.app.desk.on, self.app.failed_steps), (0, 1))

    def test_ctrl_c_ends_it_and_it_runs_again(self):
        for where in ("step", "rest"):
            self.app.breaks = {where: KeyboardInterrupt()}
            with self.assertRaises(KeyboardInterrupt):
                loop.run(self.app, self.fail)
        self.assertEqual((self.app.desk.on, self.app.desk.taken_back, self.app.failed_steps), (3, [], 0))

    def test_it_is_deaf_from_its_first_step_on(self):
        self.app.time.listening = 3
        heard = []
        self.app.breaks = {"rest": KeyboardInterrupt()}
        step = self.app.step

        def noting():
            heard.append(self.app.time.listening)
            return step()

        self.app.step = noting
        with self.assertRaises(KeyboardInterrupt):
            loop.run(self.app, self.fail)
        self.assertEqual(heard, [-1])


if __name__ == "__main__":
    unittest.main()
