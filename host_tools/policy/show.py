"""A policy in words: what leaves and how precisely, why, on which clause and to what limit. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.limits import FIELDS
from host_tools.policy.clauses import CLAUSES
from host_tools.policy.hours import Hours
from host_tools.policy.profile import FIELD_IDS, RULES, STREAM_OF, TIER_NAMES, Profile
from host_tools.policy.reach import INTERVALS, Change, Reach, limit_text, scatter_text
from host_tools.policy.words import TAKEN, amount, duration, step_text
from host_tools.policy.zones import text
from plumveil import wire

POSITION, EVENT, DATE = "position", "event", "date"
EXPLAINED = (*FIELD_IDS, POSITION, EVENT, DATE)
# Rules that bear on each, beside those that bear on all.
_FOR_ALL = ("sealing", "names", "retention", "transfer")
_INTERVAL_OF = {wire.READINGS: "sample_s", wire.DEVICE: "device_s"}


def reach_lines(reach: Reach) -> list[str]:
    """A policy by what it lets out."""
    tier = TIER_NAMES[reach.ceiling]
    located = reach.ceiling != wire.TIER_OFF
    lines = [f"version {reach.version}"]
    lines += [f"consents: those given under version {reach.widened} or later suffice"] if located else []
    lines += [
        f"{INTERVALS[name]} every {duration(seconds)}"
        for name, seconds in reach.intervals.items()
        if located or name != "position_s"
    ]
    steps = sorted(reach.fields.items())
    lines += [f"{FIELDS[field].name}: in steps of {step_text(field, step)}" for field, step in steps]
    lines += [f"positions: no finer than {tier} ({wire.TIERS[reach.ceiling][1]} m)" if located else "positions: none"]
    if located and reach.hours is not None:
        lines += [f"positions: {Hours.of(reach.hours)}"]
    lines += ["positions: at and during an alarm only"] if located and reach.alarm_only else []
    lines += [f"positions: {scatter_text(reach.scatter)}"] if located and reach.scatter else []
    lines += [f"private zones: {', '.join(map(text, sorted(reach.zones)))}"] if located and reach.zones else []
    lines += [f"alarms: {limit_text(reach.alarms)}"]
    lines += ["health values: " + ("masked" if reach.health_mask else "for whoever has the stream")]
    lines += ["dates: in a stream of their own"] if reach.split_dates else []
    waits = [
        f"{stream} {days} days"
        for number, (stream, days) in enumerate(zip(wire.STREAMS, reach.retention, strict=True))
        if (located or number != wire.LOCATION) and (reach.split_dates or number != wire.DATES)
    ]
    return [*lines, f"waits on the node at most: {', '.join(waits)}"]


def profile_lines(profile: Profile) -> list[str]:
    """A profile's reasons: purposes, then each rule with its clauses and its limit."""
    lines = [f"{profile.name}: {profile.about}", "", "What it is for:"]
    lines += [f"  {name}: {rule.purpose}" for name, rule in profile.fields.items()]
    lines += [f"  {POSITION}: {profile.positions.purpose}"] if profile.positions else []
    lines += [f"  {EVENT}: {profile.events.purpose}", "", "Its rules:"]
    for name in RULES:
        if name in profile.rules:
            lines += [f"  {line}" for line in rule_lines(profile, name)]
    return lines


def rule_lines(profile: Profile, name: str) -> list[str]:
    """One rule of a profile: what it is, where it stands, where it ends."""
    rule = profile.rules[name]
    return [f"{name}: {RULES[name]}", f"  clauses: {'; '.join(rule.basis)}", f"  limit: {rule.limit}"]


def change_lines(found: Iterable[Change]) -> list[str]:
    """What differs, wider before narrower before what is neither."""
    words = {
        (True, False): "wider   ",
        (True, True): "both    ",
        (False, True): "narrower",
        (False, False): "other   ",
    }
    ordered = sorted(found, key=lambda change: (not change.wider, not change.narrower))
    return [f"{words[change.wider, change.narrower]}  {change}" for change in ordered]


def explained(name: str, profile: Profile) -> list[str]:
    """All about one field under a profile: taken, sent, why, which clause, which limit. name: of EXPLAINED."""
    if name in FIELD_IDS:
        return _field(name, profile)
    if name == POSITION:
        return _position(profile)
    if name == EVENT:
        taken = "crossed limits, changes of consent, entries of the node's log, a clock that ran ahead"
        sent = "a code, its time rounded down, and the value in the field's own steps"
        return _lines(profile, taken, sent, profile.events.purpose, wire.EVENTS, ("allow_list", "resolution"))
    if not profile.split_dates:
        return [f"taken: the day; sent: with each message's time, for {profile.name} does not split dates off"]
    sent = "the day and the names of its streams, once a day; all other messages tell the time of day alone"
    return _lines(profile, "the day", sent, "which day the messages of a day are of", wire.DATES, ("dates",))


def _field(name: str, profile: Profile) -> list[str]:
    field, rule = FIELD_IDS[name], profile.fields.get(name)
    if rule is None:
        unsent = [f"taken: not kept, if a sensor gives {TAKEN[name]}", "sent: nothing"]
        return unsent + _rules(profile, ("allow_list",))
    stream = STREAM_OF[name]
    every = duration(getattr(profile, _INTERVAL_OF[stream]))
    low, high = (amount(field, value) for value in (FIELDS[field].low, FIELDS[field].high))
    masked = ", masked for all but the controller" if stream == wire.DEVICE and profile.health_mask else ""
    sent = f"in steps of {step_text(field, rule.step)} from {low} to {high}{masked}; outside of these not at all"
    bearing = ("allow_list", "resolution", *(["health"] if stream == wire.DEVICE else []))
    lines = _lines(profile, f"every {every}, {TAKEN[name]}", sent, rule.purpose, stream, bearing)
    return lines if rule.limit is None else [*lines, f"limit of its own: {rule.limit}"]


def _position(profile: Profile) -> list[str]:
    if profile.positions is None:
        return ["taken: nothing, the receiver has no power", "sent: nothing", *_rules(profile, ("location",))]
    tier, size_m = wire.TIERS[profile.ceiling]
    taken = f"every {duration(profile.position_s)} under a consent in force, latitude and longitude"
    sent = f"the index of a cell of {size_m} m ({tier}) or coarser, as the consent says, and only when it changes"
    purpose = profile.positions.purpose
    return _lines(profile, taken, sent, purpose, wire.LOCATION, ("ground", "location", "narrowing"))


def _lines(profile: Profile, taken: str, sent: str, purpose: str, stream: int, bearing: tuple[str, ...]) -> list[str]:
    split = ["dates"] if profile.split_dates and stream != wire.DATES else []
    return [
        f"taken: {taken}",
        f"sent: {sent}",
        f"for: {purpose}",
        f"stream: {wire.STREAMS[stream]}, sealed for itself; waits {profile.retention()[stream]} days at most",
        *_rules(profile, (*bearing, *split, *_FOR_ALL)),
    ]


def _rules(profile: Profile, names: Iterable[str]) -> list[str]:
    lines = []
    for name in names:
        rule = profile.rules[name]
        by_gist: dict[str, list[str]] = {}
        for clause in rule.basis:
            by_gist.setdefault(CLAUSES[clause], []).append(clause)
        lines += [f"rule {name}: {RULES[name]}"]
        lines += [f"  {', '.join(clauses)}: {gist}" for gist, clauses in by_gist.items()]
        lines += [f"  limit: {rule.limit}"]
    return lines
