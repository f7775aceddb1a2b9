"""Reads and checks the plaintexts that carry one thing: a position, the node's health, an event."""

from collections.abc import Callable, Sequence
from typing import Any

from host_tools import cells, rules
from host_tools.content import KEY_NAMES, Dates, Event, Health, Position, entries
from host_tools.derive import DeviceMask
from host_tools.limits import FIELDS, ConsentTerms, Limits, NodeRules
from host_tools.readings import check_field
from host_tools.receipts import entries as log_entries
from host_tools.receipts.entries import LogEntry
from host_tools.rules import Finding, Refused
from plumveil import terms, wire

_CELL = KEY_NAMES[wire.K_CELL]
_ARGUMENT = KEY_NAMES[wire.K_ARGUMENT]
_DROPS = KEY_NAMES[wire.K_DROPS]
_CONSENT = KEY_NAMES[wire.K_CONSENT]
_TIME = KEY_NAMES[wire.K_TIME]
_RECEIPT = KEY_NAMES[wire.K_RECEIPT]
_TEMPERATURES = (wire.F_TEMPERATURE, wire.F_PROBE_TEMPERATURE)
# Alarms let a reading out: the fields it may be, any of which may be the one.
ALARM_FIELDS = {
    wire.E_TEMPERATURE_HIGH: _TEMPERATURES,
    wire.E_TEMPERATURE_LOW: _TEMPERATURES,
    wire.E_SHOCK: (wire.F_SHOCK_PEAK,),
}
_EVENTS = frozenset(row[0] for row in wire.EVENT_NAMES)
# What an event's time is rounded down to, where it is: to the second it would tell when somebody decided.
EVENT_TIME_S = {
    wire.E_CONSENT: wire.POSITION_TIME_S,
    wire.E_EPOCHS_AHEAD: wire.STEP_S,
    wire.E_RECEIPT: wire.STEP_S,
}
# A time as it stands in a message -> what it stands for.
Placed = Callable[[int, list[Finding]], int]
_DAYS_MAX = (wire.UNIX_MAX_S - wire.UNIX_MIN_S) // wire.EPOCH_S


def as_it_stands(raw_s: int, _: list[Finding]) -> int:
    """A time that is read as what it is."""
    return raw_s


def position(
    plaintext: bytes,
    opened_under: bytes,
    node: NodeRules,
    limits: Limits,
    findings: list[Finding],
    placed: Placed = as_it_stands,
) -> Position:
    """Plaintext of the location stream -> Position. Raises Refused when there is no telling where it would be.

    opened_under: reference of the consent whose key opened it; placed: see host_tools.dates.
    """
    body = entries(plaintext, wire.LOCATION, findings)
    cell = body[wire.K_CELL]
    if len(cell) != 3 or any(type(part) is not int for part in cell):
        raise Refused(rules.STRUCTURE, _CELL, "not [tier, row, column]")
    tier, row, column = cell
    reference = body[wire.K_CONSENT]
    consent = node.consents.get(reference)
    found = Position(
        placed(body[wire.K_TIME], findings), tier, row, column, reference, consent.serial if consent else None
    )
    if not cells.exists(found.tier, found.row, found.column):
        raise Refused(rules.RANGE, _CELL, "there is no such cell")
    if found.t_s % wire.POSITION_TIME_S:
        findings.append(Finding(rules.RESOLUTION, _TIME, f"finer than {wire.POSITION_TIME_S} s"))
    if found.tier > limits.ceiling:
        findings.append(Finding(rules.RESOLUTION, f"{_CELL}[0]", "a tier finer than the policy's ceiling"))
    _check_consent(found, consent, opened_under, findings)
    return found


def _check_consent(
    found: Position, consent: ConsentTerms | None, opened_under: bytes, findings: list[Finding]
) -> None:
    if consent is None:
        findings.append(Finding(rules.CONSENT, _CONSENT, "no record of such a consent"))
        return
    if found.consent != opened_under:
        findings.append(Finding(rules.CONSENT, _CONSENT, "sealed under the key of another consent"))
    if found.tier > consent.tier:
        findings.append(Finding(rules.CONSENT, f"{_CELL}[0]", "a tier finer than was consented to"))
    if not _within(found.t_s, consent):
        findings.append(Finding(rules.CONSENT, _TIME, "outside the consent's time"))


def _within(t_s: int, consent: ConsentTerms) -> bool:
    # The time was rounded down, so it may have been any up to the next multiple.
    return t_s + wire.POSITION_TIME_S > consent.starts_s and t_s < consent.expires_s


def health(
    plaintext: bytes,
    limits: Limits,
    unmask: Callable[[int], DeviceMask] | None,
    findings: list[Finding],
    placed: Placed = as_it_stands,
) -> Health:
    """Plaintext of the device stream -> Health. Raises Refused when it cannot be followed.

    unmask: see host_tools.keyring.StreamKeys; with None a masked report stays so, and only its ranges are checked;
    placed: see host_tools.dates.
    """
    body = entries(plaintext, wire.DEVICE, findings)
    t_s, values, counts = placed(body[wire.K_TIME], findings), body[wire.K_HEALTH], body[wire.K_DROPS]
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


def event(
    plaintext: bytes,
    node: NodeRules,
    limits: Limits | None,
    unmask_receipt: Callable[[bytes], bytes] | None,
    findings: list[Finding],
    placed: Placed = as_it_stands,
) -> Event:
    """Plaintext of the events stream -> Event. Raises Refused when it cannot be followed.

    node: with the consents that statements may name, for who may know them; limits: None when the policy version is
    unknown, then only events that carry nothing of a reading pass; unmask_receipt: see host_tools.keyring.StreamKeys;
    placed: see host_tools.dates.
    """
    body = entries(plaintext, wire.EVENTS, findings)
    found = Event(placed(body[wire.K_TIME], findings), body[wire.K_EVENT], body[wire.K_ARGUMENT])
    if found.event not in _EVENTS:
        raise Refused(rules.STRUCTURE, KEY_NAMES[wire.K_EVENT], "an event the format does not know")
    stated = found.event == wire.E_CONSENT and found.argument != wire.TIER_OFF
    _check_there(body, wire.K_CONSENT, stated)
    _check_there(body, wire.K_RECEIPT, found.event == wire.E_RECEIPT)
    if found.t_s % EVENT_TIME_S.get(found.event, 1):
        findings.append(Finding(rules.RESOLUTION, _TIME, f"finer than {EVENT_TIME_S[found.event]} s"))
    if found.event in ALARM_FIELDS:
        _check_alarm(found, limits, findings)
    elif found.event == wire.E_CONSENT:
        _check_tier(found.argument, limits, findings)
        return _statement(found, body[wire.K_CONSENT], node, findings) if stated else found
    elif found.event == wire.E_RECEIPT:
        return _receipt(found, body[wire.K_RECEIPT], node, unmask_receipt, findings)
    elif found.event == wire.E_NO_ROUTE:
        if not 0 <= found.argument <= _DAYS_MAX:
            findings.append(Finding(rules.RANGE, _ARGUMENT, f"not 0 to {_DAYS_MAX} days"))
    elif not 1 <= found.argument <= wire.EPOCHS_AHEAD_MAX:
        findings.append(Finding(rules.RANGE, _ARGUMENT, f"not 1 to {wire.EPOCHS_AHEAD_MAX} epochs"))
    return found


def dates(plaintext: bytes, known: Sequence[bytes] | None, limits: Limits, findings: list[Finding]) -> Dates:
    """Plaintext of the dates stream -> Dates. Raises Refused when it cannot be followed.

    known: the node's pseudonyms of the epoch, for who knows them anyway.
    """
    body = entries(plaintext, wire.DATES, findings)
    names = body[wire.K_NAMES]
    if len(names) != wire.DATES or any(
        type(name) is not bytes or len(name) != wire.PSEUDONYM_BYTES for name in names
    ):
        raise Refused(rules.STRUCTURE, KEY_NAMES[wire.K_NAMES], f"not {wire.DATES} pseudonyms")
    if not limits.split_dates:
        findings.append(Finding(rules.FIELD, KEY_NAMES[wire.K_NAMES], "a policy that does not split dates off"))
    if known is not None and list(known[: wire.DATES]) != names:
        findings.append(Finding(rules.PSEUDONYM, KEY_NAMES[wire.K_NAMES], "not those of the node in this epoch"))
    found = Dates(body[wire.K_TIME], tuple(names))
    if found.t_s % wire.EPOCH_S:
        findings.append(Finding(rules.RESOLUTION, _TIME, "not 00:00 UTC"))
    return found


def _check_there(body: dict[int, Any], key: int, due: bool) -> None:
    if (key in body) != due:
        what = f"{KEY_NAMES[key]} is missing" if due else f"{KEY_NAMES[key]} does not belong in it"
        raise Refused(rules.STRUCTURE, "plaintext", what)


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


def _statement(found: Event, reference: bytes, node: NodeRules, findings: list[Finding]) -> Event:
    """That a consent is in force, by the reference that positions of the epoch carry."""
    if len(reference) != wire.CONSENT_REF_BYTES:
        raise Refused(rules.STRUCTURE, _CONSENT, f"not {wire.CONSENT_REF_BYTES} bytes")
    consent = node.consents.get(reference)
    if consent is None:
        # A delegate's, whose receipt has not been collected, or not for whoever reads to know.
        return found._replace(consent=reference)
    if found.argument > consent.tier:
        findings.append(Finding(rules.CONSENT, _ARGUMENT, "a tier finer than was consented to"))
    if not _within(found.t_s, consent):
        findings.append(Finding(rules.CONSENT, _TIME, "outside the consent's time"))
    return found._replace(consent=reference, serial=consent.serial)


def _receipt(
    found: Event,
    receipt: bytes,
    node: NodeRules,
    unmask: Callable[[bytes], bytes] | None,
    findings: list[Finding],
) -> Event:
    """An entry of the node's log; of who cannot unmask it, its kind alone."""
    if found.argument not in log_entries.KINDS:
        findings.append(Finding(rules.RANGE, _ARGUMENT, "a kind of entry that the format does not know"))
    if not 0 < len(receipt) - terms.RECEIPT_SALT_BYTES <= terms.ENTRY_MAX_BYTES:
        raise Refused(rules.STRUCTURE, _RECEIPT, f"not a salt and an entry of up to {terms.ENTRY_MAX_BYTES} bytes")
    if unmask is None:
        return found
    try:
        entry = log_entries.read(unmask(receipt))
    except log_entries.NotAnEntry as fault:
        raise Refused(rules.STRUCTURE, _RECEIPT, str(fault)) from None
    if entry.kind != found.argument:
        findings.append(Finding(rules.STRUCTURE, _ARGUMENT, "another kind than the entry's"))
    if entry.kind == terms.LOG_GRANTED:
        _check_granted(entry, node, findings)
    return found._replace(serial=entry.serial, entry=entry)


def _check_granted(entry: LogEntry, node: NodeRules, findings: list[Finding]) -> None:
    """What the node says it was granted has to be what is on record of it."""
    grant = entry.details
    said = grant[terms.G_TIER], grant[terms.G_STARTS_S], grant[terms.G_EXPIRES_S]
    for consent in node.consents.values():
        if consent.serial == entry.serial and said != (consent.tier, consent.starts_s, consent.expires_s):
            findings.append(Finding(rules.CONSENT, _RECEIPT, "not what is on record of that consent"))
