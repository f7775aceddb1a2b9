# How a battery node spends the time to its next step: light sleep, the radio off. RAM, clock and wiring are kept. Its
# serial line is deaf in it: heard in a moment before, or once the button has woken it.

_SHORT_MS = 2000  # not worth the radio's start
_LOOK_MS = 50
_AWAKE_MS = 1000  # after the button, in which a tool gets in


class LightSleep:
    # radio: network.WLAN; lightsleep: of milliseconds; hand: Hand; shock: the sensor whose interrupt wakes, or None.
    def __init__(self, radio, lightsleep, hand, shock):
        self._radio = radio
        self._lightsleep = lightsleep
        self._hand = hand
        self._shock = shock

    def __call__(self, wait_ms):
        hand = self._hand
        if wait_ms < _SHORT_MS:
            hand.rest_ms(wait_ms)
            return
        hand.rest_ms(_LOOK_MS)
        hand.light(0)
        self._radio.active(False)
        self._lightsleep(wait_ms - _LOOK_MS)
        # The edge that woke the chip raised no interrupt.
        if self._shock and self._shock.interrupt.value():
            self._shock.capture()
        while hand.pressed():
            hand.wait_ms(_AWAKE_MS)
