"""[policy] of a node.toml: what narrows positions, dates from which and until which things hold, and what is said of
a mistake in them.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import cbor2
import pytest
from pydantic import ValidationError

from host_tools.configure import exporting, faults, nodetoml
from host_tools.configure.compiling import Compiled, compile_node, seal
from host_tools.configure.faults import NodeTomlFaults
from host_tools.configure.inforce import content_of, differences
from host_tools.configure.nodetoml import NodeToml
from host_tools.configure.policytoml import midnight_s
from plumveil import grid, wire
from plumveil.config import Config
from tests.host.configuring import DAY, NOW, changed, loaded, toml

TODAY = NOW.date()
SCHEDULE: dict[str, Any] = {"days": ["mon", "tue"], "begins": "08:00", "ends": "18:00", "utc_offset": "+02:00"}
HOME = "49.026566,12.065272,area"
CELL = grid.locate(49026566, 12065272, 3)
NARROW: dict[str, Any] = {"alarm_only": True, "zones": [HOME, "district/1500/120"], "schedule": SCHEDULE}
NARROW["scatter"] = {"scale_m": 500, "per_day": 12}


def compiled(folder: Path, **sections: Any) -> Compiled:
    return compile_node(loaded(folder, **sections), 7, ahead=True, now=NOW)


def config(folder: Path, **sections: Any) -> Config:
    """As the node reads it."""
    return Config(seal(compiled(folder, **sections), bytes(32)), bytes(32))


def test_the_node_has_what_was_written(tmp_path: Path) -> None:
    policy = config(tmp_path, policy=NARROW).policy
    assert policy.alarm_only
    assert policy.zones == sorted([CELL, (2, 1500, 120)])
    assert policy._hours == [120, 0b11, 480, 1080]
    assert (policy.scatter_m, policy.scatter_day) == (500, 12)
    plain = config(tmp_path)
    assert (plain.policy.alarm_only, plain.policy.zones, plain.policy._hours) == (False, [], None)
    assert (plain.policy.scatter_m, plain.policy.scatter_day) == (0, 0)
    assert config(tmp_path, policy={"scatter": {"scale_m": 9}}).policy.scatter_day == 24
    assert (plain.from_s, plain.route_until_s) == (0, 0)


def test_a_place_is_a_cell_from_the_moment_it_is_read(tmp_path: Path) -> None:
    node = loaded(tmp_path, policy={"zones": [HOME, HOME]})
    assert node.policy.zones == (CELL, CELL)
    made = compile_node(node, 1, now=NOW)
    for held in (repr(node), repr(made), made.map_bytes.hex(), made.policy_map.hex()):
        for trace in ("49.026", "12.065", (49026566).to_bytes(4, "big").hex(), "026566"):
            assert trace not in held
    # Two places in one cell are one zone.
    assert cbor2.loads(made.policy_map)[wire.P_ZONES] == [list(CELL)]


def test_versions_rise_with_the_file(tmp_path: Path) -> None:
    assert compiled(tmp_path, policy={"version": 5}).policy.version == 5
    assert cbor2.loads(compiled(tmp_path, policy={"version": 5}).policy_map)[wire.P_WIDENED] == 5
    assert compiled(tmp_path).policy.version == 1


def test_a_day_to_come_and_one_that_is_past(tmp_path: Path) -> None:
    ahead = compiled(tmp_path, policy={"effective": TODAY + DAY})
    assert ahead.from_s == midnight_s(TODAY) + 86400
    assert cbor2.loads(ahead.map_bytes)[wire.C_FROM_S] == ahead.from_s
    for day in (TODAY, TODAY - 9 * DAY):
        present = compiled(tmp_path, policy={"effective": day})
        assert present.from_s is None
        assert wire.C_FROM_S not in cbor2.loads(present.map_bytes)


def test_what_has_to_be_in_force_is_not_for_a_day_to_come(tmp_path: Path) -> None:
    node = loaded(tmp_path, policy={"effective": TODAY + DAY})
    with pytest.raises(NodeTomlFaults, match=r"policy\.effective: lies ahead, and a node needs a configuration"):
        compile_node(node, 1, now=NOW)


def test_the_safeguard_ends_with_its_last_day(tmp_path: Path) -> None:
    service = {"endpoint_region": "US", "safeguard": "scc", "safeguard_until": TODAY}
    assert config(tmp_path, service=service).route_until_s == midnight_s(TODAY) + 86400


FAULTS = [
    ({"effective": "2027-01-31"}, "policy.effective: '2027-01-31' is not a date: write it as 2027-01-31, without"),
    ({"effective": datetime.date(2025, 12, 31)}, "policy.effective: 2025-12-31 is outside the years that nodes know"),
    ({"effective": datetime.date(2100, 1, 1)}, "policy.effective: 2100-01-01 is outside the years"),
    ({"effective": 20270131}, "policy.effective: 20270131 is not a date"),
    ({"version": 0}, "policy.version: 0 is less than 1; it holds the policy's version"),
    ({"version": 65536}, "policy.version: 65536 is more than 65535"),
    ({"scatter": {"scale_m": 0}}, "policy.scatter.scale_m: "),
    ({"scatter": {"per_day": 3}}, "policy.scatter.scale_m"),
    ({"alarm_only": 1}, "policy.alarm_only: 1 is not true or false; it holds true: positions"),
    ({"schedule": {**SCHEDULE, "days": []}}, "policy.schedule.days: "),
    ({"schedule": {**SCHEDULE, "days": ["so"]}}, "policy.schedule.days[1]: 'so' is none of 'mon', 'tue'"),
    (
        {"schedule": {**SCHEDULE, "begins": 8}},
        "policy.schedule.begins: 8 is not text in quotes; it holds time of day",
    ),
    ({"schedule": {**SCHEDULE, "ends": "25:00"}}, "policy.schedule.ends: '25:00' is no time of day"),
    ({"schedule": {**SCHEDULE, "begin": "08:00"}}, "policy.schedule.begin: is no known key; did you mean 'begins'?"),
    (
        {"schedule": {"days": ["mon"], "begins": "08:00", "ends": "18:00"}},
        "policy.schedule.utc_offset: is missing; it",
    ),
    ({"schedule": {**SCHEDULE, "utc_offset": "CET"}}, "policy.schedule.utc_offset: 'CET' is no offset from UTC"),
    ({"schedule": "always"}, "policy.schedule: 'always' is not a section; it holds hours"),
    ({"zones": [f"area/15000/{n}" for n in range(17)]}, "policy.zones: "),
    ({"zones": "area/15000/1200"}, "policy.zones: the value is not a list; it holds places"),
    ({"zones": [49.026566, 12.065272]}, "policy.zones[1]: not a zone: write a zone as"),
    ({"zones": ["49.026566,12.065272"]}, "policy.zones[1]: not a zone: write a zone as"),
    (
        {"zones": ["49.026566,12.065272,street"]},
        "policy.zones[1]: a zone is a cell of tier region or district or area",
    ),
    ({"zones": ["949.026566,12.065272,area"]}, "policy.zones[1]: not a place on Earth"),
    ({"zone": ["area/1/1"]}, "policy.zone: is no known key; did you mean 'zones'?"),
]


@pytest.mark.parametrize(("keys", "line"), FAULTS, ids=[f"{n} {line[:34]}" for n, (_, line) in enumerate(FAULTS)])
def test_a_fault_names_key_and_matter_and_no_place(keys: dict[str, Any], line: str) -> None:
    with pytest.raises(NodeTomlFaults) as caught:
        nodetoml.parse(toml(changed(policy=keys)).encode())
    assert caught.value.faults[0].startswith(line), caught.value.faults
    for said in caught.value.faults:
        assert said.isprintable()
        assert "49.02" not in said
        assert "12.06" not in said


def test_nothing_of_a_place_is_said_whatever_it_is() -> None:
    for value in (49.026566, [49.026566], {"lat": 49.026566}, "49.026566", ["49.026566 12.065272", 49.026566]):
        with pytest.raises(ValidationError) as caught:
            NodeToml.model_validate(changed(policy={"zones": value}))
        assert "49.02" not in " ".join(faults.lines(caught.value, NodeToml))


def test_what_is_different_in_node_tomls_words(tmp_path: Path) -> None:
    plain = content_of(cbor2.loads(compiled(tmp_path).map_bytes))
    narrow = content_of(cbor2.loads(compiled(tmp_path, policy=NARROW).map_bytes))
    assert differences(plain, narrow) == [
        "+ policy.schedule: mon, tue 08:00 to 18:00 (UTC+02:00)",
        "+ policy.alarm_only: true",
        f"+ policy.zones: district/1500/120, area/{CELL[1]}/{CELL[2]}",
        "+ policy.scatter: moved by 1000 m on average, 12 a day at most",
    ]
    service = {"jurisdiction": "US", "endpoint_region": "US"}
    plain = content_of(cbor2.loads(compiled(tmp_path, service=service).map_bytes))
    made = compiled(tmp_path, policy={"profile": "healthcare-us"}, service=service)
    other = content_of(cbor2.loads(made.map_bytes))
    found = differences(plain, other)
    assert "+ policy.split_dates: true" in found
    assert "  policy.retention.readings: 90 days -> 60 days" in found
    # When it comes into force is not what it says.
    later = compiled(tmp_path, policy={"effective": TODAY + DAY}, service=service)
    assert differences(plain, content_of(cbor2.loads(later.map_bytes))) == []


def test_what_is_read_back_from_a_node_says_the_same(tmp_path: Path) -> None:
    service = {"endpoint_region": "US", "safeguard": "scc", "safeguard_until": TODAY}
    made = compiled(tmp_path, policy={**NARROW, "version": 4}, service=service)
    text = exporting.toml(content_of(cbor2.loads(made.map_bytes)), "ca.pem")
    assert f"safeguard_until = {TODAY}" in text
    for line in ('profile = "general"  # the same: india', "version = 4", "alarm_only = true", "[policy.schedule]"):
        assert f"\n{line}\n" in text
    tail = text[text.index("[policy]") :]
    again = nodetoml.parse((toml(changed(policy=None)) + tail).encode(), tmp_path / "node.toml")
    assert compile_node(again, 7, now=NOW).policy_map == made.policy_map


def test_a_wrong_weekday_is_one_fault(tmp_path: Path) -> None:
    hours = {"days": ["monday"], "begins": "08:00", "ends": "09:00", "utc_offset": "+00:00"}
    with pytest.raises(NodeTomlFaults) as caught:
        loaded(tmp_path, policy={"schedule": hours})
    (fault,) = caught.value.faults
    assert fault.startswith("policy.schedule.days[1]: 'monday' is none of 'mon', ")
    with pytest.raises(NodeTomlFaults, match=r"policy\.schedule\.days: .*at least 1 item"):
        loaded(tmp_path, policy={"schedule": {**hours, "days": []}})
