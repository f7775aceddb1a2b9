# What the node keeps of its keys, as it stands in a slot on flash: secrets of the epoch and step in force and later
# ones only, and how far the counters may go. Anything but known parts within their bounds is a ConfigError.

from plumveil import cbor, wire
from plumveil.errors import ConfigError, Malformed
from plumveil.policy import bounded

_LAST_DAY = wire.UNIX_MAX_S // wire.EPOCH_S
_GENERATION_MAX = 0x3FFFFFFF
_PARTS = 12


def _key(value):
    if not isinstance(value, bytes) or len(value) != wire.KEY_BYTES:
        raise ConfigError("keys: length")
    return value


def _per_stream(value):
    if not isinstance(value, list) or len(value) != len(wire.STREAMS):
        raise ConfigError("keys: streams")
    return value


class KeyState:
    # body: a slot's body. Names as wire.S_*.
    def __init__(self, body):
        try:
            parts = cbor.loads(body)
        except Malformed:
            raise ConfigError("keys corrupt")
        if not isinstance(parts, dict) or len(parts) != _PARTS:
            raise ConfigError("keys: parts")
        self.generation = bounded(parts.get(wire.S_GENERATION), 1, _GENERATION_MAX, "keys: generation")
        tenant = parts.get(wire.S_TENANT)
        if not isinstance(tenant, str) or not 0 < len(tenant) <= 64:
            raise ConfigError("keys: tenant")
        self.tenant = tenant
        self.epoch0_day = bounded(parts.get(wire.S_EPOCH0_DAY), 0, _LAST_DAY, "keys: first epoch")
        self.k_config = _key(parts.get(wire.S_K_CONFIG))
        self.epoch = bounded(parts.get(wire.S_EPOCH), 0, _LAST_DAY, "keys: epoch")
        self.step = bounded(parts.get(wire.S_STEP), 0, wire.EPOCH_S // wire.STEP_S - 1, "keys: step")
        self.chain = _key(parts.get(wire.S_CHAIN))
        self.names = _key(parts.get(wire.S_NAMES))
        self.streams = [_key(secret) for secret in _per_stream(parts.get(wire.S_STREAMS))]
        self.counters = [
            bounded(n, 0, wire.PARTIAL_IV_MAX + 1, "keys: counter") for n in _per_stream(parts.get(wire.S_COUNTERS))
        ]
        self.ahead = bounded(parts.get(wire.S_AHEAD), 0, wire.EPOCHS_AHEAD_MAX, "keys: epochs ahead")
        self.pool = _key(parts.get(wire.S_POOL))

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
            }
        )

    def day(self):
        # Unix day that the epoch in force stands for.
        return self.epoch0_day + self.epoch - self.ahead


def generation_of(body):
    return KeyState(body).generation
