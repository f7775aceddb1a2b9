# Alarms: watches coarse readings and says once when a limit is crossed, again only after a return. Never sees raw values.

from plumveil import wire
from plumveil.trust import Coarse

# Back within the limit by this much (wire units of temperature, 0.1 degC) before the alarm may come again.
RETURN_MARGIN = 5


class Alarms:
    # limits: [lowest temperature, highest temperature, shock] in wire units, or None for none.
    def __init__(self, limits):
        self._limits = limits
        self._active = None

    def check(self, coarse):
        # Coarse readings -> [Coarse events].
        if self._limits is None:
            return []
        events = []
        low, high, shock = self._limits
        t = coarse.values.get(wire.F_PROBE_TEMPERATURE)
        if t is None:
            t = coarse.values.get(wire.F_TEMPERATURE)
        if t is not None:
            self._temperature(t, low, high, coarse.t_s, events)
        peak = coarse.values.get(wire.F_SHOCK_PEAK)
        if peak is not None and peak >= shock:
            events.append(event(coarse.t_s, wire.E_SHOCK, peak))
        return events

    def _temperature(self, t, low, high, t_s, events):
        now = wire.E_TEMPERATURE_HIGH if t > high else wire.E_TEMPERATURE_LOW if t < low else None
        if now is not None and now != self._active:
            self._active = now
            events.append(event(t_s, now, t))
        elif low + RETURN_MARGIN <= t <= high - RETURN_MARGIN:
            self._active = None


def event(t_s, code, argument=0, drops=None):
    # One event as Coarse; drops: {rule: count} for wire.E_DROPS.
    values = {wire.K_EVENT: code, wire.K_ARGUMENT: argument}
    if drops:
        values[wire.K_DROPS] = drops
    return Coarse(wire.EVENTS, t_s, values)
