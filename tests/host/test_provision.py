"""What a node is given at enrolment: its first key slot, its configuration, and the record the controller keeps."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import cbor2
import pytest

from host_tools import boards, derive
from host_tools.errors import UsageError
from host_tools.policy.profile import load_profile, profile_names
from host_tools.provision import Network, Provisioned, first_slot, is_slot, provision
from host_tools.registry import Node
from plumveil import terms, wire
from tests.host.messages import NODE

NETWORK = Network("127.0.0.1", 1883, None, "depot", "correct horse")
EPOCH0_DAY = 20600


def made() -> Provisioned:
    return provision("n", "acme", boards.load("virtual"), load_profile("general"), NETWORK, EPOCH0_DAY)


def slot_body(slot: bytes) -> dict[int, Any]:
    """A slot taken apart as plumveil.wire describes it."""
    assert int.from_bytes(slot[:2], "big") == len(slot) - 2
    body, check = cbor2.loads(slot[2:])
    assert check == hashlib.sha256(body).digest()[: wire.CHECK_BYTES]
    parts: dict[int, Any] = cbor2.loads(body)
    assert cbor2.dumps(parts, canonical=True) == body
    return parts


def test_the_first_slot_holds_epoch_0_and_what_comes_after() -> None:
    node = made().record
    k_id, k_chain = bytes.fromhex(node.k_id), bytes.fromhex(node.k_chain)
    parts = slot_body(first_slot(node))
    assert len(parts.pop(wire.S_POOL)) == wire.KEY_BYTES
    assert parts == {
        wire.S_GENERATION: 1,
        wire.S_TENANT: "acme",
        wire.S_EPOCH0_DAY: EPOCH0_DAY,
        wire.S_K_CONFIG: bytes.fromhex(node.k_config),
        wire.S_EPOCH: 0,
        wire.S_STEP: 0,
        wire.S_CHAIN: derive.Chain(k_chain).at(1),
        wire.S_NAMES: k_id,
        wire.S_STREAMS: [derive.stream_secret(k_chain, stream) for stream in range(5)],
        wire.S_COUNTERS: [0, 0, 0, 0, 0],
        wire.S_AHEAD: 0,
        wire.S_CONFIG: 0,
        wire.S_K_CONSENT: bytes.fromhex(node.k_consent),
        wire.S_SERIAL: 0,
        wire.S_GRANT: None,
        wire.S_VOIDS: [],
        wire.S_LOG_COUNT: 0,
        wire.S_LOG_HASH: bytes(32),
        wire.S_POLICY: 0,
    }


def test_the_chains_start_never_reaches_the_node() -> None:
    given = made()
    start = bytes.fromhex(given.record.k_chain)
    assert start not in given.slot_bytes + given.config_bytes
    # What is a consent's comes with a grant; what grants hang on stays in the slot.
    assert given.record.consents == ()
    assert bytes.fromhex(given.record.k_consent) not in given.config_bytes


def test_every_slot_has_a_pool_of_its_own() -> None:
    assert len({slot_body(first_slot(NODE))[wire.S_POOL] for _ in range(20)}) == 20


def test_a_whole_slot_is_told_from_what_is_left_of_one() -> None:
    slot = first_slot(NODE)
    blank = b"\xff" * (wire.SLOT_MAX_BYTES - len(slot))
    assert is_slot(slot)
    assert is_slot(slot + blank)
    for at in range(len(slot)):
        wrong = bytearray(slot + blank)
        wrong[at] ^= 1
        assert not is_slot(bytes(wrong))
        assert not is_slot(slot[:at] + b"\xff" * (wire.SLOT_MAX_BYTES - at))
        assert not is_slot(slot[:at])


def test_no_two_nodes_share_a_secret() -> None:
    nodes = [made().record for _ in range(20)]
    drawn = {text for node in nodes for text in (node.k_id, node.k_chain, node.k_config, node.k_consent)}
    assert len(drawn) == 80


def config_of(given: Provisioned) -> dict[int, Any]:
    body, mac = cbor2.loads(given.config_bytes)
    assert mac == hmac.digest(bytes.fromhex(given.record.k_config), body, "sha256")
    parts: dict[int, Any] = cbor2.loads(body)
    return parts


def test_the_configuration_carries_the_mask_and_nothing_of_a_consent() -> None:
    given = made()
    policy = config_of(given)[wire.C_POLICY]
    assert policy[wire.P_HEALTH_MASK] is given.record.policies[0].health_mask is True
    # A node's first policy: nothing was agreed to before it.
    assert policy[wire.P_WIDENED] == given.record.policies[0].version
    assert 3 not in config_of(given)


@pytest.mark.parametrize("name", profile_names())
def test_profiles_mask_health_and_name_the_self_test(name: str) -> None:
    profile = load_profile(name)
    assert profile.health_mask
    assert wire.F_SELF_TEST in profile.steps()


def test_nothing_of_it_shows() -> None:
    assert repr(made()) == "Provisioned(...)"


# The last but one fits a first slot, though not those to come.
TENANTS = [("x" * 64, True), ("é" * 64, True), ("\U0001f69a" * 40 + "x" * 24, False), ("\U0001f69a" * 64, False)]


@pytest.mark.parametrize(("tenant", "fits"), TENANTS)
def test_a_slot_stays_within_its_bound_as_its_numbers_grow(tenant: str, fits: bool) -> None:
    node = Node.model_validate(NODE.model_dump() | {"tenant": tenant})
    if not fits:
        with pytest.raises(UsageError, match="too long"):
            first_slot(node)
        return
    parts = slot_body(first_slot(node))
    parts[wire.S_GENERATION] = 0x3FFFFFFF
    parts[wire.S_EPOCH] = wire.UNIX_MAX_S // wire.EPOCH_S
    parts[wire.S_STEP] = wire.EPOCH_S // wire.STEP_S - 1
    parts[wire.S_COUNTERS] = [wire.PARTIAL_IV_MAX + 1] * 5
    parts[wire.S_AHEAD] = wire.EPOCHS_AHEAD_MAX
    most, key, last_s = 0x3FFFFFFF, bytes(wire.KEY_BYTES), wire.UNIX_MAX_S
    parts[wire.S_CONFIG] = parts[wire.S_SERIAL] = parts[wire.S_LOG_COUNT] = most
    parts[wire.S_GRANT] = [most, len(wire.TIERS) - 1, last_s - 1, last_s, key, wire.POLICY_VERSION_MAX, most]
    parts[wire.S_VOIDS] = [most] * terms.VOIDS_MAX
    parts[wire.S_POLICY] = wire.POLICY_VERSION_MAX
    body = cbor2.dumps(parts, canonical=True)
    slot = bytes(2) + cbor2.dumps([body, bytes(wire.CHECK_BYTES)])
    assert len(slot) <= wire.SLOT_MAX_BYTES
