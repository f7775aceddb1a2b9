# The firmware's exceptions: one root, few leaves. A message names a rule or a place, never a reading, key or id.


class PlumveilError(Exception):
    """Root of everything the firmware raises on purpose."""


class Malformed(PlumveilError):
    """Bytes are not what they claim to be (CBOR, COSE, NMEA, a stored frame)."""


class Rejected(PlumveilError):
    """Input is well formed and the filter refuses it; `rule` is one of wire.RULES' names."""

    def __init__(self, rule):
        super().__init__(rule)
        self.rule = rule


class SensorFault(PlumveilError):
    """A sensor is absent, timed out or failed its checksum; `what` names the sensor and the fault."""


class ConfigError(PlumveilError):
    """The node's configuration or secrets are missing, corrupt or outside their limits."""

    advice = "provision this node again"


class SelfTestFailed(PlumveilError):
    """A known-answer test failed at boot: this node's cryptography is not to be trusted with a message or a key."""

    advice = "this node seals nothing; restart it, and replace the board if that does not help"


class SealRefused(PlumveilError):
    """Sealing would be unsafe (no key, counter at its ceiling); nothing was sealed."""


class StoreFull(PlumveilError):
    """The queue has no room left even after its bound was enforced."""


class GrantRefused(PlumveilError):
    """A grant or a command is not believed, and nothing has changed; `reason` is one of terms.REFUSALS."""

    def __init__(self, reason):
        super().__init__("refused")
        self.reason = reason


class LinkDown(PlumveilError):
    """Network, broker or TLS is not there; what was queued stays queued."""


class ButtonHeld(KeyboardInterrupt):
    """The technician held the button down: consent is taken back. Breaks off a wait, as Ctrl-C does."""
