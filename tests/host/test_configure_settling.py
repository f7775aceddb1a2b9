"""Which policy a node may be given next: what needs a higher version, which consents go on, what a technician may."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest

from host_tools.configure.compiling import compile_node
from host_tools.configure.inforce import Content, content_of
from host_tools.configure.settling import Settled, settle
from host_tools.errors import PlumveilError
from host_tools.keys.entries import Entry
from host_tools.keys.faults import BeyondRole
from host_tools.keys.keystore import Keystore
from plumveil import wire
from tests.host.configuring import NOW, loaded
from tests.host.keystores import EXPORTED, entry, hand_out, make, opened

NAME = "freezer-3"
ZONES = {"zones": ["area/15000/1200", "area/15000/1210"]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Keystore]:
    with opened(make(tmp_path, entry(NAME, policies=())), write=True) as store:
        yield store


class Node:
    """A node with its place in a keystore, and what it has; a node.toml of its own each time."""

    def __init__(self, store: Keystore, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.there: list[Content] = []
        self.given = 0

    @property
    def entry(self) -> Entry:
        return self.store.get(NAME)

    def settle(self, **sections: Any) -> Settled:
        node = loaded(self.folder, **sections)
        return settle(self.store, self.entry, node, self.given + 1, self.there, ahead=True, now=NOW)

    def give(self, *, forget: bool = False, **sections: Any) -> Settled:
        """The keystore knows of it, and the node has it, unless it forgets."""
        made = self.settle(**sections)
        self.given += 1
        self.store.put(made.entry)
        self.there = [] if forget else [content_of(cbor2.loads(made.compiled.map_bytes))]
        return made


@pytest.fixture
def node(store: Keystore, tmp_path: Path) -> Node:
    return Node(store, tmp_path)


def widened(made: Settled) -> int:
    parts = cbor2.loads(made.compiled.map_bytes)[wire.C_POLICY]
    assert cbor2.loads(made.entry.policy_map) == parts
    return int(parts[wire.P_WIDENED])


def test_the_first_policy_asks_for_consents_to_itself(node: Node) -> None:
    first = node.give(policy={"version": 4})
    assert (widened(first), first.note) == (4, None)
    assert [policy.version for policy in first.entry.policies] == [4]


def test_narrower_policies_leave_consents_as_they_are(node: Node) -> None:
    node.give()
    for sections in (
        {"intervals": {"sample_s": 600}},
        {"intervals": {"sample_s": 600}, "policy": ZONES},
        {"intervals": {"sample_s": 600}, "policy": {**ZONES, "alarm_only": True}},
        {"intervals": {"sample_s": 600}, "policy": {**ZONES, "alarm_only": True, "version": 5}},
        {
            "intervals": {"sample_s": 600},
            "policy": {"profile": "healthcare", **ZONES, "alarm_only": True, "version": 6},
        },
    ):
        made = node.give(**sections)
        assert (widened(made), made.note) == (1, None)
    assert [policy.version for policy in node.entry.policies] == [1, 5, 6]


WIDER = [
    ({"intervals": {"sample_s": 600}}, {}, "a reading: every 600 s -> every 300 s"),
    ({"policy": ZONES}, {}, "private zones: area/15000/1200, area/15000/1210 -> none"),
    ({"policy": {"alarm_only": True}}, {}, "positions: at an alarm only -> with an alarm or without"),
    ({"policy": {"scatter": {"scale_m": 500}}}, {}, "24 a day at most -> where they are"),
    ({"policy": {"scatter": {"scale_m": 500}}}, {"policy": {"scatter": {"scale_m": 300}}}, "moved by 600 m"),
    (
        {"policy": {"schedule": {"days": ["mon"], "begins": "08:00", "ends": "09:00", "utc_offset": "+00:00"}}},
        {"policy": {"schedule": {"days": ["mon"], "begins": "08:00", "ends": "09:30", "utc_offset": "+00:00"}}},
        "mon 08:00 to 09:30",
    ),
]


@pytest.mark.parametrize(("old", "new", "words"), WIDER, ids=[words for _, _, words in WIDER])
@pytest.mark.parametrize("forget", [False, True], ids=["as the node has it", "as it is on record"])
def test_a_wider_one_needs_a_higher_version_and_new_consents(
    node: Node, old: dict[str, Any], new: dict[str, Any], words: str, *, forget: bool
) -> None:
    node.give(forget=forget, **old)
    with pytest.raises(PlumveilError) as refused:
        node.settle(**new)
    assert "policy.version: this lets out more (" in str(refused.value)
    assert words in str(refused.value)
    assert "than version 1, under which consents may have been given: set it to 2 or more" in str(refused.value)
    policy = {**new.get("policy", {}), "version": 3}
    made = node.give(**{**new, "policy": policy})
    assert widened(made) == 3
    assert made.note is not None
    assert made.note.startswith("a consent given before does not suffice from then on, and location is off: ")
    # Once it is in force the next goes on from there.
    assert widened(node.give(**{**new, "policy": {**policy, "version": 4}})) == 3


def test_versions_only_rise(node: Node) -> None:
    node.give(policy={"version": 3})
    for forget in (False, True):
        node.there = [] if forget else node.there
        with pytest.raises(
            PlumveilError, match=f"'{NAME}' had version 3 of its policy, and they only rise: set it to 3"
        ):
            node.settle(policy={"version": 2})


def test_versions_only_rise_and_one_that_means_something_else_is_not_offered(node: Node) -> None:
    """Neither would do with version 3: one that has other content on record, and one that lets out more."""
    node.give(policy={"version": 3, "profile": "healthcare"})
    with pytest.raises(PlumveilError, match=r"they only rise: set it higher than 3$"):
        node.settle(policy={"version": 2})
    node.give(policy={"version": 4, "profile": "healthcare"}, intervals={"sample_s": 1200})
    with pytest.raises(PlumveilError, match=r"they only rise: set it higher than 4$"):
        node.settle(policy={"version": 3, "profile": "healthcare"})
    with pytest.raises(PlumveilError, match=r"they only rise: set it to 4, or more$"):
        node.settle(policy={"version": 3, "profile": "healthcare"}, intervals={"sample_s": 1200})


def test_what_is_loaded_ahead_counts_as_well(node: Node) -> None:
    """What is in force is narrower than this, and what waits is not; the other way round likewise."""
    node.give(policy=ZONES)
    in_force = node.there
    ahead = content_of(cbor2.loads(node.give(policy={"version": 2}).compiled.map_bytes))
    node.there = [*in_force, ahead]
    assert widened(node.settle(policy={"version": 2})) == 2
    with pytest.raises(PlumveilError, match="had version 2"):
        node.settle(policy=ZONES)
    # The keystore has forgotten, and what waits on the node is slower.
    node.store.put(dataclasses.replace(node.entry, policy_map=b""))
    slower = {**ahead.reach.intervals, "position_s": 600}
    node.there = [*in_force, dataclasses.replace(ahead, reach=dataclasses.replace(ahead.reach, intervals=slower))]
    with pytest.raises(PlumveilError, match="a position: every 600 s -> every 300 s"):
        node.settle(policy={"version": 2})
    assert widened(node.settle(policy={"version": 3})) == 3


def test_what_no_consent_can_have_been_given_to_needs_no_new_version(node: Node) -> None:
    """Version 2 asks for consents of its own already: that it is wider than version 1 is nothing new."""
    node.give(policy=ZONES)
    in_force = node.there
    made = node.give(policy={"version": 2})
    node.there = [*in_force, *node.there]
    again = node.settle(policy={"version": 2}, intervals={"sample_s": 600})
    assert widened(made) == widened(again) == 2
    assert widened(node.settle(policy={"version": 3})) == 2
    assert again.note is not None


def test_a_changed_profile_has_another_version(node: Node) -> None:
    node.give()
    with pytest.raises(PlumveilError, match=r"policy version 1 of .* is on record with other content"):
        node.settle(policy={"profile": "healthcare"})
    # Narrower in all, so that no consent is lost.
    assert widened(node.settle(policy={"profile": "healthcare", "version": 2})) == 1
    assert widened(node.settle(policy={"profile": "logistics", "version": 2})) == 2


def test_a_technician_narrows_and_no_more(tmp_path: Path) -> None:
    controller = make(tmp_path, entry(NAME, policies=()))
    with opened(hand_out(controller, "technician"), EXPORTED, write=True) as store:
        node = Node(store, tmp_path)
        # The policy came with the enrolment.
        first = node.settle()
        assert (first.entry.policies, first.entry.policy_map) == ((), b"")
        node.there = [content_of(cbor2.loads(first.compiled.map_bytes))]
        narrower = node.settle(policy=ZONES, intervals={"sample_s": 600})
        assert cbor2.loads(narrower.compiled.policy_map)[wire.P_WIDENED] == 1
        node.there = [content_of(cbor2.loads(narrower.compiled.map_bytes))]
        for sections in ({}, {"policy": {"version": 2}}, {"policy": {**ZONES, "profile": "logistics"}}):
            with pytest.raises(BeyondRole, match="this changes the node's policy, which is its controller's to do"):
                node.settle(**sections)
        # Nor does what the controller has loaded ahead go by a technician's hand.
        ahead = compile_node(loaded(tmp_path, policy={**ZONES, "version": 2}), 9, now=NOW)
        node.there.append(content_of(cbor2.loads(ahead.map_bytes)))
        with pytest.raises(BeyondRole):
            node.settle(policy=ZONES, intervals={"sample_s": 600})
        node.there = []
        store.put(dataclasses.replace(node.entry, config_version=3))
        with pytest.raises(BeyondRole, match="this may change the node's policy"):
            node.settle()


def test_what_was_given_stands_in_the_keystore(tmp_path: Path) -> None:
    path = make(tmp_path, entry(NAME, policies=()))
    with opened(path, write=True) as store:
        made = Node(store, tmp_path).give(policy=ZONES)
        store.save()
    with opened(path) as store:
        kept = store.get(NAME)
    assert kept == made.entry
    assert cbor2.loads(kept.policy_map)[wire.P_ZONES] == [[3, 15000, 1200], [3, 15000, 1210]]
    # A technician is not told of it, and needs none of it: the node has it.
    with opened(hand_out(path, "technician"), EXPORTED) as store:
        assert store.get(NAME).policy_map == b""
