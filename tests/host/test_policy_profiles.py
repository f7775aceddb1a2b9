"""Profiles: sound as they are, refused with one thing wrong, and what a node makes of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from host_tools.errors import UsageError
from host_tools.policy import profile as profiles
from host_tools.policy.clauses import CLAUSES
from host_tools.policy.compiling import policy_map, policy_record
from host_tools.policy.profile import FIELD_IDS, RULES, STREAM_OF, load_profile, profile_names
from host_tools.policy.words import TAKEN, step_text
from plumveil import wire
from plumveil.policy import Policy

NAMES = ["general", "healthcare", "healthcare-us", "india", "logistics"]
# Which law each profile's clauses may be of.
LAWS = {
    "general": r"(UK )?GDPR ",
    "logistics": r"(UK )?GDPR ",
    "healthcare": r"(UK )?GDPR ",
    "healthcare-us": r"45 CFR 164\.",
    "india": r"DPDP (Act 2023 s|Rules 2025 r)\. ",
}


def test_there_are_these() -> None:
    assert profile_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_stands_on_clauses_of_its_law_and_says_where_it_ends(name: str) -> None:
    profile = load_profile(name)
    assert set(profile.rules) == set(RULES) - (set() if profile.split_dates else {"dates"})
    for rule in profile.rules.values():
        assert all(re.match(LAWS[name], clause) for clause in rule.basis)
        assert len(rule.limit) > 30
    # Nothing is covered in law that is not told apart from it.
    assert all(rule.purpose for rule in profile.fields.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_node_takes_it(name: str) -> None:
    profile = load_profile(name)
    node = Policy(policy_map(profile))
    assert node.fields == profile.steps() == policy_record(profile).fields
    assert (node.location_ceiling, node.split_dates) == (profile.ceiling, profile.split_dates)
    assert (node.retention, node.widened) == (profile.retention(), profile.version)
    assert Policy(policy_map(profile, 0)).widened == 0
    assert policy_record(profile).split_dates is profile.split_dates


def test_every_clause_is_cited_somewhere() -> None:
    cited = {clause for name in NAMES for rule in load_profile(name).rules.values() for clause in rule.basis}
    # Both spellings of an article stand in the table, whether both are cited or not.
    unused = {
        clause for clause in CLAUSES if clause.removeprefix("UK ") not in {c.removeprefix("UK ") for c in cited}
    }
    assert unused == set()


def test_a_gist_leaves_out_no_exception_that_is_a_rule() -> None:
    assert "three digits of a ZIP code" in CLAUSES["45 CFR 164.514(b)(2)(i)(B)"]
    assert "age over 89" in CLAUSES["45 CFR 164.514(b)(2)(i)(C)"]


@pytest.mark.parametrize("name", NAMES)
def test_the_comments_units_are_those_of_the_steps(name: str) -> None:
    text = (profiles.PROFILES_DIR / f"{name}.toml").read_text("utf-8")
    found = re.findall(r"\[fields\.(\w+)\]\nstep = (\d+)  # (.*)\n", text)
    assert [field for field, _, _ in found] == list(load_profile(name).fields)
    scale = {"mV": ("V", 1000), "h": ("s", 1 / 3600), "KiB": ("bytes", 1 / 1024)}
    for field, step, comment in found:
        amount, _, unit = comment.partition(" ")
        base, factor = scale.get(unit, (unit, 1))
        told = step_text(FIELD_IDS[field], int(step)).split(" ")
        assert float(amount) == pytest.approx(float(told[0]) * factor)
        assert told[1:] in ([base], [])


def test_health_in_the_united_states_is_without_place_date_and_serial() -> None:
    profile = load_profile("healthcare-us")
    assert (profile.location_ceiling, profile.positions, profile.split_dates) == ("off", None, True)
    cited = {name: rule.basis for name, rule in profile.rules.items()}
    assert cited["location"] == ("45 CFR 164.514(b)(2)(i)(B)",)
    assert cited["dates"] == ("45 CFR 164.514(b)(2)(i)(C)",)
    assert "45 CFR 164.514(b)(2)(i)(M)" in cited["names"]
    assert not {"rssi", "heap_free"} & set(profile.fields)


def test_retention_is_the_longest_of_a_streams_fields() -> None:
    profile = load_profile("general")
    days = {
        stream: {rule.keep_days for name, rule in profile.fields.items() if STREAM_OF[name] == stream}
        for stream in (0, 2)
    }
    assert profile.retention() == [max(days[0]), 7, max(days[2]), 400, 400]
    shorter = profile.with_fields({"temperature": 1})
    assert shorter.retention() == [90, 7, 1, 400, 400]
    fields = dict(profile.fields, humidity=profile.fields["humidity"].model_copy(update={"keep_days": 91}))
    assert profile.model_copy(update={"fields": fields}).retention()[wire.READINGS] == 91


def test_what_is_taken_is_said_of_every_field() -> None:
    assert set(TAKEN) == set(FIELD_IDS)


# What is changed in general.toml, and what is said of it.
BROKEN = [
    ("version = 1 ", "version = 0 ", "version: Input should be greater than or equal to 1"),
    ('"area"', '"town"', "location_ceiling: unknown tier 'town'"),
    ('"area"', '"off"', "[positions] belongs into a profile whose location_ceiling is not off"),
    ("[fields.rssi]", "[fields.serial]", "unknown field 'serial'"),
    ("keep_days = 90", "keep_days = 401", "fields.temperature.keep_days: Input should be less than or equal to 400"),
    ("keep_days = 90", "keep_days = 0", "fields.temperature.keep_days: Input should be greater than or equal to 1"),
    ("keep_days = 90\n", "", "fields.temperature.keep_days: Field required"),
    ("step = 1 ", "step = 0 ", "fields.temperature.step: Input should be greater than or equal to 1"),
    ("step = 1 ", "steps = 1 ", "fields.temperature.step: Field required"),
    ("purpose = ", "why = ", "fields.temperature.purpose: Field required"),
    ("[rules.ground]", "[rules.grounds]", "[rules.ground] is missing"),
    ("[rules.retention]", "[rules.dates]", "[rules.dates] does not belong here"),
    ("health_mask = true", "health_mask = true\nsplit_dates = true", "[rules.dates] is missing"),
    ("Art. 5(1)(c)", "Art. 5(1)(z)", "'GDPR Art. 5(1)(z)' is no clause that host_tools/policy/clauses.py knows"),
    ('basis = ["GDPR Art. 44", "UK GDPR chapter V"]', "basis = []", "rules.transfer.basis"),
    ("[events]", "[event]", "events: Field required"),
    ('name = "general"', 'name = "common"', "calls itself 'common'; name it as its file"),
    ("batch_max = 60", "batch_max = 60\nalarm_only = true", "hours, alarm_only, zones and scatter are a node's own"),
    ("sample_s = 300", "sample_s = 9", "sample_s: Input should be greater than or equal to 10"),
    ("sample_s = 300", "sample_s = ", "is not TOML"),
]


@pytest.mark.parametrize(("old", "new", "words"), BROKEN, ids=[repr(new) for _, new, _ in BROKEN])
def test_with_one_thing_wrong_it_is_refused(
    old: str, new: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (profiles.PROFILES_DIR / "general.toml").read_text("utf-8")
    assert old in text
    monkeypatch.setattr(profiles, "PROFILES_DIR", tmp_path)
    (tmp_path / "general.toml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(UsageError) as refused:
        load_profile("general")
    assert str(refused.value).startswith("profile general")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_profile_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UsageError, match="unknown profile 'none': use one of general, healthcare"):
        load_profile("none")
