"""What a node is given at enrolment: its first key slot, its configuration, and the record the controller keeps."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import cbor2
import pytest

from host_tools import boards, derive
from host_tools.errors import UsageError
from host_tools.provision import Consent, Network, Provisioned, first_slot, load_profile, profile_names, provision
from host_tools.registry import Node
from plumveil import wire
from tests.host.messages import NODE

NETWORK = Network("127.0.0.1", 1883, None, "depot", "correct horse")
EPOCH0_DAY = 20600
START_S = EPOCH0_DAY * wire.EPOCH_S


def made(tier: int | None = 2) -> Provisioned:
    consent = None if tier is None else Consent(7, tier, START_S, START_S + wire.EPOCH_S, "delivery")
    return provision("n", "acme", boards.load("virtual"), load_profile("general"), NETWORK, EPOCH0_DAY, consent)


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
        wire.S_STREAMS: [derive.stream_secret(k_chain, stream) for stream in range(4)],
        wire.S_COUNTERS: [0, 0, 0, 0],
        wire.S_AHEAD: 0,
    }


def test_the_chains_start_never_reaches_the_node() -> None:
    given = made()
    start = bytes.fromhex(given.record.k_chain)
    assert start not in given.slot_bytes + given.config_bytes
    # Nor do the two secrets that only the configuration may carry stand in the slot.
    assert bytes.fromhex(given.record.consents[0].secret) not in given.slot_bytes


def test_every_slot_has_a_pool_of_its_own() -> None:
    assert len({slot_body(first_slot(NODE))[wire.S_POOL] for _ in range(20)}) == 20


def test_no_two_nodes_share_a_secret() -> None:
    nodes = [made().record for _ in range(20)]
    drawn = {text for node in nodes for text in (node.k_id, node.k_chain, node.k_config, node.consents[0].secret)}
    assert len(drawn) == 80


def config_of(given: Provisioned) -> dict[int, Any]:
    body, mac = cbor2.loads(given.config_bytes)
    assert mac == hmac.digest(bytes.fromhex(given.record.k_config), body, "sha256")
    parts: dict[int, Any] = cbor2.loads(body)
    return parts


def test_the_configuration_carries_the_consents_secret_and_the_mask() -> None:
    given = made()
    config, (consent,) = config_of(given), given.record.consents
    assert config[wire.C_CONSENT][wire.G_SECRET].hex() == consent.secret
    assert config[wire.C_POLICY][wire.P_HEALTH_MASK] is given.record.policies[0].health_mask is True
    assert wire.C_CONSENT not in config_of(made(None))


@pytest.mark.parametrize("name", profile_names())
def test_profiles_mask_health_and_name_the_self_test(name: str) -> None:
    profile = load_profile(name)
    assert profile.health_mask
    assert wire.F_SELF_TEST in profile.steps()


def test_a_consent_without_secrecy_in_words() -> None:
    consent = Consent(7, 2, START_S, START_S + 1, "delivery")
    assert len(consent.secret) == wire.KEY_BYTES
    assert consent.secret.hex() not in repr(consent)
    assert repr(consent.secret) not in repr(consent)
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
    parts[wire.S_COUNTERS] = [wire.PARTIAL_IV_MAX + 1] * 4
    parts[wire.S_AHEAD] = wire.EPOCHS_AHEAD_MAX
    body = cbor2.dumps(parts, canonical=True)
    slot = bytes(2) + cbor2.dumps([body, bytes(wire.CHECK_BYTES)])
    assert len(slot) <= wire.SLOT_MAX_BYTES
