# The data path, read this first: one direction, one exit.
#
#     sense -> consent -> minimise -> pseudonym -> pack -> store -> uplink
#     raw      raw        coarse      coarse       sealed  sealed   sealed
#
# Every byte that leaves the node passes through `_out`; no other place turns a reading into something to send.

from plumveil import alarm, wire
from plumveil.errors import Rejected, SealRefused, StoreFull
from plumveil.fixed import slot
from plumveil.trust import Coarse, Fix, Reading


class Pipeline:
    # The stages, made by plumveil.service. keys: KeyChain; held: HeldCell of the location stage; policy: the one in
    # force.
    def __init__(self, consent, minimiser, alarms, keys, pseudonyms, packer, store, drops, held, policy):
        self._policy = policy
        self._keys = keys
        self._consent = consent
        self._minimiser = minimiser
        self._alarms = alarms
        self._pseudonyms = pseudonyms
        self._packer = packer
        self._store = store
        self._drops = drops
        self._held = held
        self._said = wire.TIER_OFF, 0, 0
        self._hour = None
        # The epoch in which expiry was seen to, and the day told where dates are split off.
        self._epoch = None
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

    def take_position(self, t_s, clock_trusted, receiver, tier_now=None):
        # A position is due. Without consent in force now, no power. receiver: None, or with fix() ->
        # (lat_e6, lon_e6) or None, take_bad() -> sentences refused. tier_now: () -> tier once the search is over.
        tier = self._consent.tier(t_s, clock_trusted)
        self._say_consent(t_s, tier)
        held = self._held
        if tier == wire.TIER_OFF:
            held.clear()
            self._drops.add(wire.R_NO_CONSENT, receiver is not None)
        if tier == wire.TIER_OFF or receiver is None:
            return
        policy = self._policy
        slot_s = slot(t_s, policy.position_s)
        if (
            not policy.open_at(t_s)
            or (policy.alarm_only and not self._alarms.on)
            # However many alarms there are: one a slot.
            or slot_s == held.slot_s
        ):
            self._drops.add(wire.R_NOT_NOW)
            return
        if policy.scatter_m and held.told(t_s) >= policy.scatter_day:
            self._drops.add(wire.R_BUDGET)
            return
        position = receiver.fix()
        self._drops.add(wire.R_BAD_SENTENCE, receiver.take_bad())
        ended = tier_now and not tier_now()
        if ended or position is None:
            # Once consent has ended it shows nowhere whether there was a fix.
            self._drops.add(wire.R_NO_CONSENT if ended else wire.R_NO_FIX)
            return
        fix = Fix(t_s, position[0], position[1])
        serial = self._consent.serial
        coarse, cell = self._minimiser.position(fix, tier, serial, held)
        # Held first: a cut in between keeps one back, and never tells one twice.
        if coarse is not None:
            if not held.hold(cell, serial, slot_s):
                self._drops.add(wire.R_QUEUE_FULL)
            elif not self._out(coarse, self._consent.secret):
                held.undo()

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
            self._queue(self._packer.close_before(t_s))
            self._keys.advance(t_s)
        except SealRefused:
            # Asked again at the next tick; what cannot be sealed meanwhile is counted as it comes.
            return
        self._hour = hour
        if self._epoch != self._keys.epoch:
            self._new_epoch(t_s - t_s % wire.EPOCH_S)
        ahead = self._keys.ahead
        if ahead != self._ahead and self._say(t_s - t_s % wire.STEP_S, wire.E_EPOCHS_AHEAD, ahead):
            self._ahead = ahead

    def _new_epoch(self, day_s):
        self._store.expire(self._keys.epoch, self._policy.retention)
        if not self._policy.split_dates or self._out(Coarse(wire.DATES, day_s, {})):
            self._epoch = self._keys.epoch

    def no_route(self, t_s, days):
        # Nothing may be sent for so many days: says so once there is a way again.
        self._say(t_s, wire.E_NO_ROUTE, 0 if self._policy.split_dates else days)

    def follows(self, t_s):
        # False when the key chains will not go to t_s: the clock runs too far ahead.
        return self._keys.reaches(t_s)

    def session(self):
        # 8 bytes: today's MQTT client id.
        return self._pseudonyms.session()

    def close(self):
        # Seals what is open, before a planned stop or an upload that must have everything.
        try:
            self._queue(self._packer.close())
        except SealRefused:
            self._drops.add(wire.R_KEYS)

    def receipt(self, t_s, kind, entry):
        # An entry of the node's log, as bytes -> whether it got through.
        coarse = alarm.event(t_s - t_s % wire.STEP_S, wire.E_RECEIPT, kind)
        coarse.values[wire.K_RECEIPT] = entry
        return self._out(coarse)

    def _say_consent(self, t_s, tier):
        # On every change, and once an epoch beside its positions: what stands for the consent there is new in each.
        now = (tier, self._consent.serial, self._keys.epoch) if tier else (tier, 0, 0)
        if now != self._said:
            coarse = alarm.event(t_s - t_s % wire.POSITION_TIME_S, wire.E_CONSENT, tier)
            if tier:
                coarse.values[wire.K_CONSENT] = self._consent.serial
            if self._out(coarse):
                self._said = now

    def _say(self, t_s, event, argument):
        # An event that is not an alarm: wire.E_* -> whether it got through.
        return self._out(alarm.event(t_s, event, argument))

    def _out(self, coarse, consent_secret=b""):
        # The one exit -> False when it did not get through.
        if type(coarse) is not Coarse:
            raise TypeError("only Coarse leaves")
        try:
            return self._queue(self._packer.add(self._pseudonyms.record(coarse), consent_secret))
        except Rejected:
            self._drops.add(wire.R_CLOCK)
        except SealRefused:
            self._drops.add(wire.R_KEYS)
        return False

    def _queue(self, sealed):
        # Messages -> False when there was no room for one; the store has counted it.
        whole = True
        for one in sealed:
            try:
                self._store.put(one)
            except StoreFull:
                whole = False
        return whole
