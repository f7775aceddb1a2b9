# May a position be taken at all, and how finely? Off unless a whole, current consent within the policy says
# otherwise: anything missing, malformed, out of bounds or out of its time is off.

from plumveil import terms, wire
from plumveil.errors import ConfigError
from plumveil.policy import bounded


class Consent:
    # state: KeyState, whose grant is the consent in force; policy: the Policy in force.
    def __init__(self, state, policy):
        self._state = state
        self._policy = policy
        self.look()

    def look(self):
        # Takes up what the state holds now. serial, secret: of the consent, when there is one.
        self.serial = 0
        self.secret = b""
        self._tier = wire.TIER_OFF
        self._starts_s = self._expires_s = 0
        try:
            self._read(self._state.grant)
        except (ConfigError, TypeError, ValueError):
            pass

    def _read(self, grant):
        serial, tier, starts_s, expires_s, secret, version, _ = grant
        self.serial = bounded(serial, 1, 0x3FFFFFFF, "consent")
        self._starts_s = bounded(starts_s, wire.UNIX_MIN_S, wire.UNIX_MAX_S, "consent")
        self._expires_s = bounded(expires_s, starts_s + 1, wire.UNIX_MAX_S, "consent")
        if not isinstance(secret, bytes) or len(secret) != wire.KEY_BYTES:
            raise ConfigError("consent")
        self.secret = secret
        # Given before the policy was widened, it was given for something else.
        bounded(version, self._policy.widened, wire.POLICY_VERSION_MAX, "consent")
        # So was a consent finer than the policy's ceiling: it is not cut down to it.
        self._tier = bounded(tier, 1, self._policy.location_ceiling, "consent")

    def tier(self, now_s, clock_trusted):
        # Index into wire.TIERS in force at now_s (Unix s).
        if self._tier and clock_trusted and self._starts_s <= now_s < self._expires_s:
            return self._tier
        return wire.TIER_OFF

    def ended(self, now_s):
        # Why the consent that the state holds can never be in force again: terms.LOG_*, or 0.
        if self._state.grant is None:
            return 0
        if not self._tier:
            return terms.LOG_INSUFFICIENT
        return terms.LOG_EXPIRED if now_s >= self._expires_s else 0
