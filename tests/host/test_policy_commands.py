"""`plumveil policy`: policies by profile, file and node, in words; and docs/policy.md, which is made of the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from host_tools.configure.compiling import compile_node
from host_tools.policy import document, show
from host_tools.policy.clauses import CLAUSES
from host_tools.policy.profile import load_profile, profile_names
from tests.host.command_line import Ended, run
from tests.host.configuring import NOW, loaded, put
from tests.host.keystores import PASSPHRASE, entry, error_line, make

NAME = "freezer-3"
NARROW = {
    "zones": ["area/15000/1200"],
    "alarm_only": True,
    "schedule": {"days": ["mon"], "begins": "22:00", "ends": "06:00", "utc_offset": "-03:30"},
}


def policy(*arguments: str | Path) -> Ended:
    return run("policy", *arguments, PLUMVEIL_PASSPHRASE=PASSPHRASE)


def plain(text: str) -> str:
    return " ".join(text.split())


def test_all_profiles_in_a_line_each() -> None:
    ended = policy("show")
    assert (ended.code, ended.err) == (0, "")
    assert [line.partition(":")[0] for line in ended.out.splitlines()] == profile_names()


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_with_its_reasons(name: str) -> None:
    ended = policy("show", name)
    assert ended.code == 0
    profile = load_profile(name)
    said = plain(ended.out)
    for rule in profile.rules.values():
        assert plain(rule.limit) in said
        assert "; ".join(rule.basis) in said
    for field in profile.fields.values():
        assert field.purpose in said
    assert ("positions: none" in said) == (name == "healthcare-us")
    assert ("dates: in a stream of their own" in said) == profile.split_dates


def test_no_alarm_is_claimed_of_what_does_not_leave() -> None:
    for name in profile_names():
        found = policy("show", name).out
        assert ("alarms: below 2 or above 8 degC, from" in found) == ("shock_peak" in load_profile(name).fields)
        assert "  alarms: below 2 or above 8 degC" in found


def test_alarm_limits_are_a_difference(tmp_path: Path) -> None:
    limits = {"temperature_low_degc": 2.0, "temperature_high_degc": 9.0, "shock_g": 3.0}
    ended = policy("diff", "general", put(tmp_path, limits=limits))
    assert ended.out == ("other     alarms: below 2 or above 8 degC, from 3 g -> below 2 or above 9 degC, from 3 g\n")


def test_the_policy_of_a_file_needs_nothing_else_of_it(tmp_path: Path) -> None:
    path = put(tmp_path, policy=NARROW, wifi={"key": None, "key_env": "NOT_SET"}, broker={"ca_file": "none.pem"})
    ended = policy("show", path)
    assert ended.code == 0
    for words in (
        "positions: mon 22:00 to 06:00 (UTC-03:30)",
        "positions: at and during an alarm only",
        "private zones: area/15000/1200",
    ):
        assert words in ended.out
    path.write_text("[policy]\nprofile = 'none'\n")
    assert policy("show", path).code == 1


def test_the_policy_of_a_node_is_the_one_it_was_given(tmp_path: Path) -> None:
    made = compile_node(loaded(tmp_path, policy={**NARROW, "version": 4}), 1, now=NOW)
    there = dataclasses.replace(entry(NAME), policy_map=made.policy_map)
    store = make(tmp_path, there, entry("lorry-of-J-Doe"))
    ended = policy("show", NAME, "--keystore", store)
    assert ended.code == 0
    assert "version 4\n" in ended.out
    assert "private zones: area/15000/1200" in ended.out
    # It knows what was given, and not why.
    assert "clauses" not in ended.out
    assert "no policy of 'lorry-of-J-Doe' is on record here" in error_line(
        policy("show", "lorry-of-J-Doe", "--keystore", store)
    )
    assert "has no node named 'nobody'" in error_line(policy("show", "nobody", "--keystore", store))
    assert "'nobody' is no profile (general, " in error_line(
        policy("show", "nobody", "--keystore", tmp_path / "none"), 2
    )
    against = policy("diff", NAME, "general", "--keystore", store)
    assert "wider     private zones: area/15000/1200 -> none" in against.out


def test_what_is_wider_and_what_narrower(tmp_path: Path) -> None:
    ended = policy("diff", "healthcare", "logistics")
    lines = ended.out.splitlines()
    assert lines[:2] == [
        "wider     humidity: in steps of 1 %RH -> in steps of 0.5 %RH",
        "wider     shock_peak: does not leave -> in steps of 0.1 g",
    ]
    assert "A consent given under healthcare does not suffice for logistics" in lines[-1]
    back = policy("diff", "logistics", "healthcare").out
    assert back.count("narrower") == ended.out.count("wider ") == len(back.splitlines()) - 1
    # Shock does not leave under healthcare, so that there is no alarm of it.
    assert back.splitlines()[-1] == ("other     alarms: below 2 or above 8 degC, from 3 g -> below 2 or above 8 degC")
    assert policy("diff", "general", "india").out == "no difference in what leaves\n"
    moved = put(tmp_path, policy={"zones": ["area/15000/1200"]}).rename(tmp_path / "other.toml")
    both = policy("diff", moved, put(tmp_path, policy={"zones": ["area/15000/1201"]}))
    assert both.out.startswith("both      private zones: area/15000/1200 -> area/15000/1201\n")


@pytest.mark.parametrize("name", profile_names())
@pytest.mark.parametrize("field", show.EXPLAINED)
def test_one_field_with_all_that_bears_on_it(name: str, field: str) -> None:
    said = show.explained(field, load_profile(name))
    assert said[0].startswith("taken: ")
    if "sent: nothing" in said or field == "date":
        return
    assert [line.partition(":")[0] for line in said[:4]] == ["taken", "sent", "for", "stream"]
    assert any(clause in line for clause in CLAUSES for line in said)
    assert any(line.startswith("  limit: ") for line in said)


def test_explained_on_the_command_line() -> None:
    said = policy("explain", "humidity", "--profile", "healthcare").out
    assert "sent: in steps of 1 %RH from 0 %RH to 100 %RH; outside of these not at all" in said
    assert "GDPR Art. 5(1)(c), UK GDPR Art. 5(1)(c): adequate" in said
    assert "masked for all but the controller" in policy("explain", "uptime").out
    assert "for general does not split dates off" in policy("explain", "date").out
    assert "sent: nothing" in policy("explain", "position", "--profile", "healthcare-us").out
    assert "there is no field 'altitude'; there are: temperature," in error_line(policy("explain", "altitude"), 2)
    assert "unknown profile 'none'" in error_line(policy("explain", "humidity", "--profile", "none"), 2)


def test_the_document_is_what_the_profiles_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert document.main(["--check"]) == 0
    text = document.PATH.read_text("utf-8")
    assert "{{" not in text
    for name in profile_names():
        for rule in load_profile(name).rules.values():
            assert f"| {'; '.join(rule.basis)} | {rule.limit} |" in text
    monkeypatch.setattr(document, "PATH", tmp_path / "policy.md")
    assert document.main(["--check"]) == 1
    assert document.main([]) == 0
    assert document.main(["--check"]) == 0
    assert document.main(["--what"]) == 2
