"""Reads and checks the plaintexts that carry one thing: a position, the node's health, an event."""

from collections.abc import Callable

from host_tools import cells, rules
from host_tools.content import KEY_NAMES, Event, Health, Position, entries
from host_tools.derive import DeviceMask
from host_tools.limits import FIELDS, ConsentTerms, Limits, NodeRules
from host_tools.readings import check_field
from host_tools.rules import Finding, Refused
from plumveil import wire

_CELL = KEY_NAMES[wire.K_CELL]
_ARGUMENT = KEY_NAMES[wire.K_ARGUMENT]
_DROPS = KEY_NAMES[wire.K_DROPS]
_TEMPERATURES = (wire.F_TEMPERATURE, wire.F_PROBE_TEMPERATURE)
# Alarms let a reading out: the fields it may be, any of which may be the one.
ALARM_FIELDS = {
    wire.E_TEMPERATURE_HIGH: _TEMPERATURES,
    wire.E_TEMPERATURE_LOW: _TEMPERATURES,
    wire.E_SHOCK: (wire.F_SHOCK_PEAK,),
}
_EVENTS = frozenset(row[0] for row in wire.EVENT_NAMES)


def position(
    plaintext: bytes, opened_under: bytes, node: NodeRules, limits: Limits, findings: list[Finding]
) -> Position:
    """Plaintext of the location stream -> Position. Raises Refused when there is no telling where it would be.

    opened_under: reference of the consent whose key opened it.
    """
    body = entries(plaintext, wire.LOCATION, findings)
    cell = body[wire.K_CELL]
    if len(cell) != 3 or any(type(part) is not int for part in cell):
        raise Refused(rules.STRUCTURE, _CELL, "not [tier, row, column]")
    tier, row, column = cell
    reference = body[wire.K_CONSENT]
    consent = node.consents.get(reference)
    found = Position(body[wire.K_TIME], tier, row, column, reference, consent.serial if consent else None)
    if not cells.exists(found.tier, found.row, found.column):
        raise Refused(rules.RANGE, _CELL, "there is no such cell")
    if found.t_s % wire.POSITION_TIME_S:
        findings.append(Finding(rules.RESOLUTION, KEY_NAMES[wire.K_TIME], f"finer than {wire.POSITION_TIME_S} s"))
    if found.tier > limits.ceiling:
        findings.append(Finding(rules.RESOLUTION, f"{_CELL}[0]", "a tier finer than the policy's ceiling"))
    _check_consent(found, consent, opened_under, findings)
    return found


def _check_consent(
    found: Position, consent: ConsentTerms | None, opened_under: bytes, findings: list[Finding]
) -> None:
    where = KEY_NAMES[wire.K_CONSENT]
    if consent is None:
        findings.append(Finding(rules.CONSENT, where, "no record of such a consent"))
        return
    if found.consent != opened_under:
        findings.append(Finding(rules.CONSENT, where, "sealed under the key of another consent"))
    if found.tier > consent.tier:
        findings.append(Finding(rules.CONSENT, f"{_CELL}[0]", "a tier finer than was consented to"))
    # The time was rounded down, so the position may have been taken up to the next multiple.
    if found.t_s + wire.POSITION_TIME_S <= consent.starts_s or found.t_s >= consent.expires_s:
        findings.append(Finding(rules.CONSENT, KEY_NAMES[wire.K_TIME], "outside the consent's time"))


def health(
    plaintext: bytes, limits: Limits, unmask: Callable[[int], DeviceMask] | None, findings: list[Finding]
) -> Health:
    """Plaintext of the device stream -> Health. Raises Refused when it cannot be followed.

    unmask: see host_tools.keyring.StreamKeys; with None a masked report stays so, and only its ranges are checked.
    """
    body = entries(plaintext, wire.DEVICE, findings)
    t_s, values, counts = body[wire.K_TIME], body[wire.K_HEALTH], body[wire.K_DROPS]
    where = KEY_NAMES[wire.K_HEALTH]
    if any(type(value) is not int for value in values.values()):
        raise Refused(rules.STRUCTURE, where, "not a map of field ids to integers")
    if len(counts) != len(wire.RULES_SENT) or any(type(n) is not int for n in counts):
        raise Refused(rules.STRUCTURE, _DROPS, f"not {len(wire.RULES_SENT)} integers")
    for field in values:
        check_field(field, wire.DEVICE, limits, f"{where}[{field}]", findings)
    masked = limits.health_mask and unmask is None
    mask = unmask(t_s) if limits.health_mask and unmask else None
    out = {}
    for field, sent in values.items():
        # Before the mask is off: whatever was sent, that brings it within the limits.
        within = _check_range(sent, field, f"{where}[{field}]", findings)
        value = out[field] = mask.value_of(field, sent) if mask and within else sent
        if not masked:
            _check_step(value, limits.steps.get(field, 1), f"{where}[{field}]", findings)
    drops = _drops(counts, mask, findings)
    return Health(t_s, out, None if masked else drops, masked)


def _drops(counts: list[int], mask: DeviceMask | None, findings: list[Finding]) -> dict[int, int]:
    out = {}
    for place, (rule, sent) in enumerate(zip(wire.RULES_SENT, counts, strict=True)):
        within = 0 <= sent <= wire.DROPS_MAX
        if not within:
            findings.append(Finding(rules.RANGE, f"{_DROPS}[{place}]", "outside the limits of a count"))
        out[rule] = mask.count_of(place, sent) if mask and within else sent
    return {rule: n for rule, n in out.items() if n}


def _check_step(value: int, step: int, where: str, findings: list[Finding]) -> None:
    if value % step:
        findings.append(Finding(rules.RESOLUTION, where, "not a multiple of the policy's step"))


def _check_range(value: int, field: int, where: str, findings: list[Finding]) -> bool:
    within = FIELDS[field].low <= value <= FIELDS[field].high
    if not within:
        findings.append(Finding(rules.RANGE, where, "outside the field's limits"))
    return within


def event(plaintext: bytes, limits: Limits | None, findings: list[Finding]) -> Event:
    """Plaintext of the events stream -> Event. Raises Refused when it cannot be followed.

    limits: None when the policy version is unknown; then only events that carry nothing of a reading pass.
    """
    body = entries(plaintext, wire.EVENTS, findings)
    found = Event(body[wire.K_TIME], body[wire.K_EVENT], body[wire.K_ARGUMENT])
    if found.event not in _EVENTS:
        raise Refused(rules.STRUCTURE, KEY_NAMES[wire.K_EVENT], "an event the format does not know")
    if found.event in ALARM_FIELDS:
        _check_alarm(found, limits, findings)
    elif found.event == wire.E_CONSENT:
        _check_tier(found.argument, limits, findings)
    elif not 1 <= found.argument <= wire.EPOCHS_AHEAD_MAX:
        findings.append(Finding(rules.RANGE, _ARGUMENT, f"not 1 to {wire.EPOCHS_AHEAD_MAX} epochs"))
    return found


def _check_alarm(found: Event, limits: Limits | None, findings: list[Finding]) -> None:
    candidates = [field for field in ALARM_FIELDS[found.event] if limits is not None and field in limits.steps]
    if limits is None or not candidates:
        raise Refused(rules.FIELD, _ARGUMENT, "an alarm on a field that is not on the policy's list")
    # The event does not name its sensor: where several may have raised it, it need only be right for one.
    fewest: list[Finding] | None = None
    for field in candidates:
        breaches: list[Finding] = []
        _check_step(found.argument, limits.steps[field], _ARGUMENT, breaches)
        _check_range(found.argument, field, _ARGUMENT, breaches)
        if fewest is None or len(breaches) < len(fewest):
            fewest = breaches
    findings.extend(fewest or [])


def _check_tier(tier: int, limits: Limits | None, findings: list[Finding]) -> None:
    if not 0 <= tier < len(wire.TIERS):
        findings.append(Finding(rules.RANGE, _ARGUMENT, "no such tier"))
    elif tier > (limits.ceiling if limits else wire.TIER_OFF):
        findings.append(Finding(rules.RESOLUTION, _ARGUMENT, "a tier finer than the policy's ceiling"))
