# How a battery node spends the time between two steps.
import unittest

import hands

from plumveil.errors import ButtonHeld
from plumveil.rest import LightSleep


class Radio:
    def __init__(self, told):
        self.told = told

    def active(self, on):
        self.told.append(("radio", on))


class Pin:
    level = 0

    def value(self):
        return self.level


class Shock:
    def __init__(self, told):
        self.told = told
        self.interrupt = Pin()

    def capture(self):
        self.told.append("capture")


class Rest(unittest.TestCase):
    def rest(self, shock=True, desk=None):
        self.told = []
        self.time = hands.Time()
        self.button = hands.Button()
        self.led = hands.Led(self.time)
        self.sensor = Shock(self.told) if shock else None
        self.wakes = None  # what happens while it sleeps
        hand = hands.hand(self.time, self.button, self.led, desk)
        return LightSleep(Radio(self.told), self.lightsleep, hand, self.sensor)

    def lightsleep(self, n_ms):
        self.told.append(("light", n_ms, self.led.lit(), self.time.listening))
        self.time.ms += 1000 if self.wakes else n_ms
        if self.wakes:
            self.wakes()

    def test_long_waits_are_slept_with_the_radio_off(self):
        sleep = self.rest()
        began_ms = self.time.ms
        sleep(60000)
        self.assertEqual(self.told, [("radio", False), ("light", 59950, False, -1)])
        self.assertEqual(self.time.ms - began_ms, 60000)

    def test_short_waits_are_not_worth_it(self):
        sleep = self.rest()
        began_ms = self.time.ms
        sleep(500)
        self.assertEqual((self.told, self.time.ms - began_ms), ([], 500))

    def test_the_led_blinks_while_location_is_on(self):
        desk = hands.Desk()
        sleep = self.rest(desk=desk)
        sleep(60000)
        self.assertEqual([on for _, on in self.led.shown], [True, False])
        self.assertTrue(self.led.shown[1][0] - self.led.shown[0][0] <= 100)
        desk.on = 0
        self.led.shown = []
        sleep(60000)
        self.assertEqual([on for _, on in self.led.shown], [False, False])

    def test_the_shock_that_woke_the_node_is_taken(self):
        sleep = self.rest()
        self.sensor.interrupt.level = 1
        sleep(60000)
        self.assertEqual(self.told[-1], "capture")

    def test_without_an_accelerometer(self):
        sleep = self.rest(shock=False)
        sleep(60000)
        self.assertEqual(self.told[1][:2], ("light", 59950))

    def test_the_button_wakes_it_and_is_counted(self):
        sleep = self.rest()
        self.wakes = self.button.press
        began_ms = self.time.ms
        with self.assertRaises(ButtonHeld):
            sleep(60000)
        self.assertTrue(6000 <= self.time.ms - began_ms <= 6600)

    def test_pressed_shortly_it_listens_for_a_moment(self):
        sleep = self.rest()
        self.wakes = self.button.press
        self.time.after(1200, self.button.let_go)
        self.time.after(1900, self.time.type)
        with self.assertRaises(KeyboardInterrupt):
            sleep(60000)

    def test_a_tool_is_heard_before_it_sleeps(self):
        sleep = self.rest()
        self.time.after(20, self.time.type)
        with self.assertRaises(KeyboardInterrupt):
            sleep(60000)
        self.assertEqual(self.told, [])


if __name__ == "__main__":
    unittest.main()
