# The data path, read this first: one direction, one exit.
#
#     sense -> consent -> minimise -> pseudonym -> pack -> store -> uplink
#     raw      raw        coarse      coarse       sealed  sealed   sealed
#
# Every byte that leaves the node passes through `_out`; no other place turns a reading into something to send.

from plumveil import alarm, wire
from plumveil.errors import Rejected, SealRefused, StoreFull
from plumveil.trust import Coarse, Fix, Reading


class Pipeline:
    # The stages, made by plumveil.service. keys: KeyChain; held: HeldCell of the location stage.
    def __init__(self, consent, minimiser, alarms, keys, pseudonyms, packer, store, drops, held):
        self._keys = keys
        self._consent = consent
        self._minimiser = minimiser
        self._alarms = alarms
        self._pseudonyms = pseudonyms
        self._packer = packer
        self._store = store
        self._drops = drops
        self._held = held
        self._tier = wire.TIER_OFF
        self._hour = None
        # Epochs ahead of the calendar, as said since this boot: a cut may have come before it was said.
        self._ahead = 0

    def take(self, t_s, values):
        # Sensor values {field id: raw int} of time t_s (Unix s) -> number of alarms they raised.
        coarse = self._minimiser.fields(wire.READINGS, Reading(t_s, values))
        self._out(coarse)
        events = self._alarms.check(coarse)
        for event in events:
            self._out(event)
        return len(events)

    def take_position(self, t_s, clock_trusted, receiver):
        # A position is due. The receiver is neither powered nor read unless consent is in force now. receiver: an
        # object with fix() -> (lat_e6, lon_e6) or None and take_bad() -> sentences refused; None when the board has
        # none.
        tier = self._consent.tier(t_s, clock_trusted)
        self._say_consent(t_s, tier)
        if tier == wire.TIER_OFF:
            self._held.clear()
        if receiver is None:
            return
        if tier == wire.TIER_OFF:
            self._drops.add(wire.R_NO_CONSENT)
            return
        position = receiver.fix()
        self._drops.add(wire.R_BAD_SENTENCE, receiver.take_bad())
        if position is None:
            self._drops.add(wire.R_NO_FIX)
            return
        fix = Fix(t_s, position[0], position[1])
        serial = self._consent.serial
        coarse, cell = self._minimiser.position(fix, tier, serial, self._held)
        if coarse is not None and self._out(coarse, self._consent.secret):
            self._held.hold(cell, serial)

    def take_health(self, t_s, values):
        # Health values {field id: raw int}, and with them the count of what was dropped -> whether they got through.
        # Both every time, zeros too: that something was dropped would tell one node from another.
        health = self._minimiser.fields(wire.DEVICE, Reading(t_s, values)).values
        counts = self._drops.report()
        through = self._out(Coarse(wire.DEVICE, t_s, {wire.K_HEALTH: health, wire.K_DROPS: counts}))
        if through:
            self._drops.reported(counts)
        return through

    def tick(self, t_s):
        # Time goes on: to be called before whatever is due at t_s.
        hour = t_s // wire.STEP_S
        if hour == self._hour:
            return
        try:
            for sealed in self._packer.close_before(t_s):
                self._queue(sealed)
            self._keys.advance(t_s)
        except SealRefused:
            # Asked again at the next tick; what cannot be sealed meanwhile is counted as it comes.
            return
        self._hour = hour
        ahead = self._keys.ahead
        if ahead != self._ahead and self._say(t_s - t_s % wire.STEP_S, wire.E_EPOCHS_AHEAD, ahead):
            self._ahead = ahead

    def follows(self, t_s):
        # False when the key chains will not go to t_s: the clock runs too far ahead.
        return self._keys.reaches(t_s)

    def session(self):
        # 8 bytes: today's MQTT client id.
        return self._pseudonyms.session()

    def close(self):
        # Seals what is open, before a planned stop or an upload that must have everything.
        try:
            for sealed in self._packer.close():
                self._queue(sealed)
        except SealRefused:
            self._drops.add(wire.R_KEYS)

    def _say_consent(self, t_s, tier):
        if tier != self._tier:
            self._tier = tier
            self._say(t_s - t_s % wire.POSITION_TIME_S, wire.E_CONSENT, tier)

    def _say(self, t_s, event, argument):
        # An event that is not an alarm: wire.E_* -> whether it got through.
        return self._out(alarm.event(t_s, event, argument))

    def _out(self, coarse, consent_secret=b""):
        # The one exit -> False when it did not get through.
        if type(coarse) is not Coarse:
            raise TypeError("only Coarse leaves")
        try:
            sealed = self._packer.add(self._pseudonyms.record(coarse), consent_secret)
        except Rejected:
            self._drops.add(wire.R_CLOCK)
            return False
        except SealRefused:
            self._drops.add(wire.R_KEYS)
            return False
        whole = True
        for one in sealed:
            whole = self._queue(one) and whole
        return whole

    def _queue(self, sealed):
        # False when there was no room; the store has counted it.
        try:
            self._store.put(sealed)
        except StoreFull:
            return False
        return True
