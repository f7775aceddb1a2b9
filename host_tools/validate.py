"""Opens, decodes and checks messages, one after another: the host's judgement of what a node sent.

The order of the checks is that of host_tools.rules. Never raises on a message, whatever its bytes: a breach is a
finding.
"""

import time
from dataclasses import dataclass

from host_tools import checks, readings, rules
from host_tools.content import KEY_NAMES, Batch, Content, Dates, Event, Position
from host_tools.dates import Calendar
from host_tools.envelope import Envelope, parse
from host_tools.evidence import Evidence
from host_tools.history import AHEAD_WEIGHT, HISTORY_MAX, History
from host_tools.keyring import Ring, StreamKeys
from host_tools.rules import Finding, Refused
from plumveil import wire

CLOCK_SLACK_S = 600  # how far a node's clock may run ahead of ours
_TIME = KEY_NAMES[wire.K_TIME]
_CONSENT = KEY_NAMES[wire.K_CONSENT]


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
    def dated(self) -> bool:
        """False when the times of the content are those of a day that whoever reads here may not know."""
        return self.keys is None or self.keys.day is not None

    @property
    def valid(self) -> bool:
        """True when no rule is broken; a duplicate is valid."""
        return not self.findings


class Validator:
    """Checks messages with the keys of a ring; what it has seen counts for the next (order of time, replay, evidence
    of consent).

    now_s: Unix seconds after which nothing can have happened yet; the host's clock when None.
    """

    def __init__(self, ring: Ring, now_s: int | None = None, history_max: int = HISTORY_MAX) -> None:
        now_s = int(time.time()) if now_s is None else now_s
        self._latest_s = min(now_s + CLOCK_SLACK_S, wire.UNIX_MAX_S)
        self._ring = ring
        self._history = History(history_max)
        self._evidence = Evidence()
        self._calendar = Calendar()

    @property
    def forgotten(self) -> int:
        """Messages no longer remembered for the `replay`, `time` and `consent` rules."""
        return self._history.forgotten + self._evidence.forgotten

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
            message.content = content = _read(plaintext, envelope, keys, findings, self._calendar)
            span_s = self._check_times(content, keys.day, message)
        except Refused as refused:
            findings.append(refused.finding)
        noted = self._history.note(data, envelope, span_s)
        if noted is True:
            message.duplicate = True
        elif noted:
            findings.append(noted)
        self._weigh(message, keys)
        return message

    def _weigh(self, message: Message, keys: StreamKeys) -> None:
        """A sound event may be evidence for what follows; a position without evidence is refused (P11)."""
        content = message.content
        if type(content) is Position:
            said = any(finding.rule == rules.CONSENT for finding in message.findings)
            if not said and not self._evidence.covers(content, keys):
                message.findings.append(
                    Finding(rules.CONSENT, _CONSENT, "neither receipt nor statement of it was seen")
                )
        elif type(content) is Event and message.valid:
            self._evidence.note(content, keys)
        elif type(content) is Dates and message.valid:
            self._calendar.note(content)

    def _check_times(self, content: Content, day: int | None, message: Message) -> tuple[int, int] | None:
        """(first, last) time of the content as host_tools.history counts it, None when it is wrong.

        day: see host_tools.keyring.StreamKeys; without one there is nothing to hold a time of day against. Where a
        time was rounded down the true one may be later: such a message is out of order only if it is wherever in
        between it was sealed, so the latest that it may be goes first.
        """
        findings = message.findings
        first_s = last_s = content[0]
        if type(content) is Batch:
            last_s += (content.readings - 1) * content.interval_s
        sound = len(findings)
        if day is None:
            day = first_s // wire.EPOCH_S
        elif first_s < wire.UNIX_MIN_S or last_s > wire.UNIX_MAX_S:
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
        if len(findings) > sound:
            return None
        weight = message.epochs_ahead * AHEAD_WEIGHT
        slack_s = checks.EVENT_TIME_S.get(content.event, 1) - 1 if type(content) is Event else 0
        return first_s + weight + slack_s, last_s + weight


def _read(
    plaintext: bytes, envelope: Envelope, keys: StreamKeys, findings: list[Finding], calendar: Calendar
) -> Content:
    """The content by stream. Raises Refused."""
    own, stream = keys.rules, keys.stream
    limits = own.policies.get(envelope.policy_version)
    placing = None
    if limits is None or limits.split_dates or keys.day is None:
        placing = calendar.placing(keys, limits)
    placed = checks.as_it_stands if placing is None else placing.placed
    if stream == wire.EVENTS:
        return checks.event(plaintext, own, limits, keys.unmask_receipt, findings, placed)
    if limits is None:
        raise Refused(rules.FIELD, f"protected[{wire.HDR_PLUMVEIL}][2]", "a policy version that is not on record")
    if stream == wire.READINGS:
        batch = readings.read(plaintext, limits, findings)
        return batch if placing is None else batch._replace(start_s=placing.placed(batch.start_s, findings))
    if stream == wire.DATES:
        return checks.dates(plaintext, keys.names, limits, findings)
    if stream == wire.LOCATION:
        return checks.position(plaintext, keys.consent_of(envelope), own, limits, findings, placed)
    return checks.health(plaintext, limits, keys.unmask, findings, placed)
