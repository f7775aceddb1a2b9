# Alarms: watches coarse readings and says once when a limit is crossed, again only after a return. Never sees raw
# values.

from plumveil import wire
from plumveil.trust import Coarse

# Back within the limits by this much (wire units of temperature, 0.1 degC) before an alarm may come again; less where
# the limits are closer than twice that.
RETURN_MARGIN = 5


class Alarms:
    # limits: [lowest temperature, highest temperature, shock] in wire units, or None for none.
    def __init__(self, limits):
        self._low, self._high, self._shock = limits or (None, None, None)
        self._active = None
        # Whether there is an alarm: a limit of temperature crossed, or a shock at the last sample.
        self.on = False
        self._margin = min(RETURN_MARGIN, (self._high - self._low) // 2) if limits else 0

    def check(self, coarse):
        # Coarse readings -> Coarse events, none most of the time.
        events = []
        if self._low is None:
            return events
        values = coarse.values
        t = values.get(wire.F_PROBE_TEMPERATURE, values.get(wire.F_TEMPERATURE))
        if t is not None:
            alarm = wire.E_TEMPERATURE_HIGH if t > self._high else wire.E_TEMPERATURE_LOW if t < self._low else None
            if alarm is None:
                if self._active and self._low + self._margin <= t <= self._high - self._margin:
                    self._active = None
            elif alarm != self._active:
                self._active = alarm
                events.append(event(coarse.t_s, alarm, t))
        self.on = self._active is not None
        peak = values.get(wire.F_SHOCK_PEAK)
        if peak is not None and peak >= self._shock:
            self.on = True
            events.append(event(coarse.t_s, wire.E_SHOCK, peak))
        return events


def event(t_s, code, argument):
    # One event as Coarse.
    return Coarse(wire.EVENTS, t_s, {wire.K_EVENT: code, wire.K_ARGUMENT: argument})
