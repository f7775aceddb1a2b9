"""docs/policy.md: its tables are made of the profiles, in place of marks in policy.md.in; the rest stands there."""

from __future__ import annotations

import sys
from pathlib import Path

from host_tools import generated
from host_tools.policy.clauses import CLAUSES
from host_tools.policy.profile import FIELD_IDS, RULES, STREAM_OF, Profile, load_profile, profile_names
from host_tools.policy.words import duration, step_text
from plumveil import wire

TEMPLATE = Path(__file__).with_name("policy.md.in")
PATH = Path(__file__).resolve().parents[2] / "docs" / "policy.md"


def text() -> str:
    """The document as it stands in the file."""
    profiles = [load_profile(name) for name in profile_names()]
    made = TEMPLATE.read_text("utf-8")
    for mark, part in (
        ("overview", _overview(profiles)),
        ("fields", _fields(profiles)),
        ("purposes", _purposes(profiles)),
        ("rules", _rules(profiles)),
        ("clauses", _clauses(profiles)),
    ):
        made = made.replace("{{" + mark + "}}", part)
    return made


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _overview(profiles: list[Profile]) -> str:
    def waits(profile: Profile) -> str:
        days = dict(zip(wire.STREAMS, profile.retention(), strict=True))
        left_out = {"dates": profile.split_dates, "location": profile.ceiling > 0}
        return ", ".join(f"{stream} {n}" for stream, n in days.items() if left_out.get(stream, True))

    rows = [["for", *(profile.about for profile in profiles)]]
    rows += [["finest position", *(_tier(profile) for profile in profiles)]]
    rows += [["a reading every", *(duration(profile.sample_s) for profile in profiles)]]
    rows += [["a position every", *(duration(one.position_s) if one.ceiling else "-" for one in profiles)]]
    rows += [["health every", *(duration(profile.device_s) for profile in profiles)]]
    rows += [["health values", *("masked" if profile.health_mask else "shown" for profile in profiles)]]
    rows += [["dates", *("apart" if profile.split_dates else "with times" for profile in profiles)]]
    rows += [["waits on the node, days", *(waits(profile) for profile in profiles)]]
    return _table(["", *(f"`{profile.name}`" for profile in profiles)], rows)


def _tier(profile: Profile) -> str:
    name, size_m = wire.TIERS[profile.ceiling]
    return f"{name}, {size_m} m" if profile.ceiling else "none"


def _fields(profiles: list[Profile]) -> str:
    rows = []
    for name, field in FIELD_IDS.items():
        rules = [profile.fields.get(name) for profile in profiles]
        cells = ["-" if rule is None else f"{step_text(field, rule.step)}, {rule.keep_days} d" for rule in rules]
        rows.append([f"`{name}`", wire.STREAMS[STREAM_OF[name]], *cells])
    return _table(["field", "stream", *(f"`{profile.name}`" for profile in profiles)], rows)


def _purposes(profiles: list[Profile]) -> str:
    rows = []
    for name in FIELD_IDS:
        said = {profile.fields[name].purpose: profile.name for profile in profiles if name in profile.fields}
        rows += [[f"`{name}`", purpose] for purpose in said]
    for profile in profiles:
        if profile.positions is not None:
            rows.append([f"positions, `{profile.name}`", profile.positions.purpose])
    for purpose in dict.fromkeys(profile.events.purpose for profile in profiles):
        names = ", ".join(f"`{profile.name}`" for profile in profiles if profile.events.purpose == purpose)
        rows.append([f"events, {names}", purpose])
    return _table(["", "what it is for"], rows)


def _rules(profiles: list[Profile]) -> str:
    parts = []
    for name, what in RULES.items():
        parts.append(f"### {name}\n\n{what[0].upper()}{what[1:]}.\n")
        rows: dict[tuple[str, str], list[str]] = {}
        for profile in profiles:
            rule = profile.rules.get(name)
            if rule is not None:
                rows.setdefault(("; ".join(rule.basis), rule.limit), []).append(f"`{profile.name}`")
        cells = [[", ".join(names), basis, limit] for (basis, limit), names in rows.items()]
        parts.append(_table(["profile", "clauses", "limit"], cells) + "\n")
    return "\n".join(parts).rstrip()


def _clauses(profiles: list[Profile]) -> str:
    cited = {clause for profile in profiles for rule in profile.rules.values() for clause in rule.basis}
    return _table(["clause", "gist"], [[clause, gist] for clause, gist in CLAUSES.items() if clause in cited])


def main(arguments: list[str]) -> int:
    """Writes the document, or with --check compares; returns the exit code."""
    return generated.run(arguments, "host_tools.policy.document", PATH, text, "the profiles say")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
