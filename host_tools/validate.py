"""Opens, decodes and checks messages, one after another: the host's judgement of what a node sent.

The order of the checks is that of host_tools.rules. Never raises on a message, whatever its bytes: a breach is a
finding.
"""

import time
from dataclasses import dataclass

from host_tools import checks, readings, rules
from host_tools.content import KEY_NAMES, Batch, Content
from host_tools.envelope import Envelope, parse
from host_tools.history import AHEAD_WEIGHT, HISTORY_MAX, History
from host_tools.keyring import Ring, StreamKeys
from host_tools.rules import Finding, Refused
from plumveil import wire

CLOCK_SLACK_S = 600  # how far a node's clock may run ahead of ours
_TIME = KEY_NAMES[wire.K_TIME]


@dataclass(slots=True)
class Message:
    """A message and the verdict on it: valid when `findings` is empty. What could not be reached is None.

    epochs_ahead: by how many epochs its node runs ahead of the calendar, burned by a clock that was wrong; mostly 0.
    """

    size_bytes: int
    findings: list[Finding]
    envelope: Envelope | None = None
    keys: StreamKeys | None = None
    content: Content | None = None
    duplicate: bool = False
    epochs_ahead: int = 0

    @property
    def valid(self) -> bool:
        """True when no rule is broken; a duplicate is valid."""
        return not self.findings


class Validator:
    """Checks messages with the keys of a ring; what it has seen counts for the next (order of time, replay).

    now_s: Unix seconds after which nothing can have happened yet; the host's clock when None.
    """

    def __init__(self, ring: Ring, now_s: int | None = None, history_max: int = HISTORY_MAX) -> None:
        now_s = int(time.time()) if now_s is None else now_s
        self._latest_s = min(now_s + CLOCK_SLACK_S, wire.UNIX_MAX_S)
        self._ring = ring
        self._history = History(history_max)

    @property
    def forgotten(self) -> int:
        """Messages no longer remembered for the `replay` and `time` rules."""
        return self._history.forgotten

    def check(self, data: bytes) -> Message:
        """The verdict on one message."""
        findings: list[Finding] = []
        message = Message(len(data), findings)
        try:
            envelope = parse(data)
            message.envelope = envelope
            keys = self._ring.find(envelope.kid)
            if keys is None:
                raise Refused(rules.PSEUDONYM, "protected[4]", "nobody's, by the keys given")
            plaintext = keys.open(envelope)
        except Refused as refused:
            findings.append(refused.finding)
            return message
        message.keys = keys
        span_s = None
        try:
            message.content = content = _read(plaintext, envelope, keys, findings)
            span_s = self._check_times(content, keys.day, message)
        except Refused as refused:
            findings.append(refused.finding)
        noted = self._history.note(data, envelope, span_s)
        if noted is True:
            message.duplicate = True
        elif noted:
            findings.append(noted)
        return message

    def _check_times(self, content: Content, day: int, message: Message) -> tuple[int, int] | None:
        """(first, last) time of the content as host_tools.history counts it, None when it is wrong.

        day: see host_tools.keyring.StreamKeys.
        """
        findings = message.findings
        first_s = last_s = content[0]
        if type(content) is Batch:
            last_s += (content.readings - 1) * content.interval_s
        sound = len(findings)
        if first_s < wire.UNIX_MIN_S or last_s > wire.UNIX_MAX_S:
            findings.append(Finding(rules.TIME, _TIME, "outside the limits of the format"))
        elif last_s > self._latest_s:
            findings.append(Finding(rules.TIME, _TIME, "in the future"))
        first_day = first_s // wire.EPOCH_S
        if last_s // wire.EPOCH_S != first_day:
            findings.append(Finding(rules.EPOCH, _TIME, "not within one epoch"))
        elif first_day != day:
            if not 0 < day - first_day <= wire.EPOCHS_AHEAD_MAX:
                findings.append(Finding(rules.EPOCH, _TIME, "not in the epoch of the pseudonym"))
            elif len(findings) == sound:
                message.epochs_ahead = day - first_day
                weight = message.epochs_ahead * AHEAD_WEIGHT
                return first_s + weight, last_s + weight
        return (first_s, last_s) if len(findings) == sound else None


def _read(plaintext: bytes, envelope: Envelope, keys: StreamKeys, findings: list[Finding]) -> Content:
    """The content by stream. Raises Refused."""
    own, stream = keys.rules, keys.stream
    limits = own.policies.get(envelope.policy_version)
    if stream == wire.EVENTS:
        return checks.event(plaintext, limits, findings)
    if limits is None:
        raise Refused(rules.FIELD, f"protected[{wire.HDR_PLUMVEIL}][2]", "a policy version that is not on record")
    if stream == wire.READINGS:
        return readings.read(plaintext, limits, findings)
    if stream == wire.LOCATION:
        return checks.position(plaintext, keys.consent_of(envelope), own, limits, findings)
    return checks.health(plaintext, limits, keys.unmask, findings)
