# May a position be taken at all, and how finely? Off unless a whole, current consent within the policy says
# otherwise: anything missing, malformed, out of bounds or out of its time is off.

from plumveil import wire
from plumveil.errors import ConfigError
from plumveil.policy import bounded


class Consent:
    # parts: map of wire.G_*, or None; policy: the Policy in force. serial, secret: of the consent, when there is one.
    def __init__(self, parts, policy):
        self.serial = 0
        self.secret = b""
        self._tier = wire.TIER_OFF
        try:
            self._read(parts, policy)
        except ConfigError:
            self._tier = wire.TIER_OFF

    def _read(self, parts, policy):
        if not isinstance(parts, dict) or len(parts) != 6:
            raise ConfigError("consent")
        self.serial = bounded(parts.get(wire.G_SERIAL), 1, 0x3FFFFFFF, "consent serial")
        self._starts_s = bounded(parts.get(wire.G_STARTS_S), wire.UNIX_MIN_S, wire.UNIX_MAX_S, "consent start")
        self._expires_s = bounded(parts.get(wire.G_EXPIRES_S), self._starts_s + 1, wire.UNIX_MAX_S, "consent end")
        if not isinstance(parts.get(wire.G_PURPOSE), str) or not parts[wire.G_PURPOSE]:
            raise ConfigError("consent purpose")
        self.secret = parts.get(wire.G_SECRET)
        if not isinstance(self.secret, bytes) or len(self.secret) != wire.KEY_BYTES:
            raise ConfigError("consent secret")
        # A consent finer than the policy's ceiling is not cut down to it: it was given for something else.
        self._tier = bounded(parts.get(wire.G_TIER), 1, policy.location_ceiling, "consent tier")

    def tier(self, now_s, clock_trusted):
        # Index into wire.TIERS in force at now_s (Unix s).
        if self._tier and clock_trusted and self._starts_s <= now_s < self._expires_s:
            return self._tier
        return wire.TIER_OFF
