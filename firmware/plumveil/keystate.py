# What the node keeps of its keys, as it stands in a slot on flash: secrets of the epoch and step in force and later
# ones only, and how far the counters may go. Anything but known parts within their bounds is a ConfigError.

from plumveil import cbor, wire
from plumveil.errors import ConfigError, Malformed
from plumveil.policy import bounded

_LAST_DAY = wire.UNIX_MAX_S // wire.EPOCH_S
_GENERATION_MAX = 0x3FFFFFFF
_PARTS = 20


def _key(value):
    if not isinstance(value, bytes) or len(value) != wire.KEY_BYTES:
        raise ConfigError("keys")
    return value


def _number(parts, name, high, low=0):
    return bounded(parts.get(name), low, high, "keys")


def _per_stream(value):
    if not isinstance(value, list) or len(value) != wire.STREAM_COUNT:
        raise ConfigError("keys")
    return value


class KeyState:
    # body: a slot's body. Names as wire.S_*.
    def __init__(self, body):
        try:
            parts = cbor.loads(body)
        except Malformed:
            raise ConfigError("keys corrupt")
        if not isinstance(parts, dict) or len(parts) != _PARTS:
            raise ConfigError("keys")
        self.generation = _number(parts, wire.S_GENERATION, _GENERATION_MAX, 1)
        tenant = parts.get(wire.S_TENANT)
        if not isinstance(tenant, str) or not 0 < len(tenant) <= 64:
            raise ConfigError("keys")
        self.tenant = tenant
        self.epoch0_day = _number(parts, wire.S_EPOCH0_DAY, _LAST_DAY)
        self.k_config = _key(parts.get(wire.S_K_CONFIG))
        self.epoch = _number(parts, wire.S_EPOCH, _LAST_DAY)
        self.step = _number(parts, wire.S_STEP, wire.EPOCH_S // wire.STEP_S - 1)
        self.chain = _key(parts.get(wire.S_CHAIN))
        self.names = _key(parts.get(wire.S_NAMES))
        self.streams = [_key(secret) for secret in _per_stream(parts.get(wire.S_STREAMS))]
        self.counters = [
            bounded(n, 0, wire.PARTIAL_IV_MAX + 1, "keys") for n in _per_stream(parts.get(wire.S_COUNTERS))
        ]
        self.ahead = _number(parts, wire.S_AHEAD, wire.EPOCHS_AHEAD_MAX)
        self.pool = _key(parts.get(wire.S_POOL))
        self.config = _number(parts, wire.S_CONFIG, 0x3FFFFFFF)
        self.k_consent = _key(parts.get(wire.S_K_CONSENT))
        self.serial = _number(parts, wire.S_SERIAL, 0x3FFFFFFF)
        # A consent in disorder is no consent, never a reason to stop taking temperatures.
        grant = parts.get(wire.S_GRANT)
        self.grant = grant if isinstance(grant, list) and len(grant) == 7 else None
        voids = parts.get(wire.S_VOIDS)
        if not isinstance(voids, list):
            raise ConfigError("keys")
        self.voids = [bounded(n, 1, 0x3FFFFFFF, "keys") for n in voids]
        self.log_count = _number(parts, wire.S_LOG_COUNT, 0x3FFFFFFF)
        self.log_hash = _key(parts.get(wire.S_LOG_HASH))
        self.policy = _number(parts, wire.S_POLICY, wire.POLICY_VERSION_MAX)

    def body(self):
        # The slot's body of the next generation.
        self.generation += 1
        return cbor.dumps(
            {
                wire.S_GENERATION: self.generation,
                wire.S_TENANT: self.tenant,
                wire.S_EPOCH0_DAY: self.epoch0_day,
                wire.S_K_CONFIG: self.k_config,
                wire.S_EPOCH: self.epoch,
                wire.S_STEP: self.step,
                wire.S_CHAIN: self.chain,
                wire.S_NAMES: self.names,
                wire.S_STREAMS: self.streams,
                wire.S_COUNTERS: self.counters,
                wire.S_AHEAD: self.ahead,
                wire.S_POOL: self.pool,
                wire.S_CONFIG: self.config,
                wire.S_K_CONSENT: self.k_consent,
                wire.S_SERIAL: self.serial,
                wire.S_GRANT: self.grant,
                wire.S_VOIDS: self.voids,
                wire.S_LOG_COUNT: self.log_count,
                wire.S_LOG_HASH: self.log_hash,
                wire.S_POLICY: self.policy,
            }
        )

    def day(self):
        # Unix day that the epoch in force stands for.
        return self.epoch0_day + self.epoch - self.ahead


def generation_of(body):
    return KeyState(body).generation
