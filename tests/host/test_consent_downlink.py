"""Commands to nodes: another implementation and the node open them, in their epoch and no other, and nothing else."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from pycose import headers
from pycose.algorithms import AESCCM16128256
from pycose.keys.symmetric import SymmetricKey
from pycose.messages.enc0message import Enc0Message

from host_tools import derive
from host_tools.consent import downlink
from plumveil import grant as node_side
from plumveil import terms, wire
from plumveil.errors import GrantRefused
from tests.host.consenting import State
from tests.host.keystores import DAY, TENANT, node

NODE = node("freezer-3")
K_CONSENT = bytes.fromhex(NODE.k_consent)
EPOCH = DAY - NODE.epoch0_day
REVOKE, VOID = terms.DOWN_REVOKE, terms.DOWN_VOID


def state(epoch: int = EPOCH, tenant: str = TENANT, k_consent: bytes = K_CONSENT) -> State:
    found = State("freezer-3", epoch=epoch)
    found.tenant, found.k_consent = tenant, k_consent
    return found


@pytest.mark.parametrize(("kind", "number"), [(REVOKE, 16_000_000), (VOID, 3), (REVOKE, 0x3FFFFFFF)])
def test_the_node_reads_what_was_said(kind: int, number: int) -> None:
    data = downlink.sealed(K_CONSENT, TENANT, EPOCH, kind, number)
    assert len(data) <= terms.DOWN_MAX_BYTES
    assert node_side.command(data, state()) == (kind, number)


def test_another_implementation_opens_it() -> None:
    data = downlink.sealed(K_CONSENT, TENANT, EPOCH, VOID, 3)
    other: Any = Enc0Message.from_cose_obj(cbor2.loads(data[1:]), True)
    assert other.get_attr(headers.Algorithm) is AESCCM16128256
    other.key = SymmetricKey(derive.command_key(K_CONSENT, EPOCH))
    other.external_aad = cbor2.dumps(["down", TENANT])
    assert cbor2.loads(other.decrypt()) == [VOID, 3]


@pytest.mark.parametrize(
    "other", [state(EPOCH + 1), state(tenant="other"), state(k_consent=bytes(32))], ids=["epoch", "tenant", "key"]
)
def test_no_other_node_or_day_takes_it(other: State) -> None:
    with pytest.raises(GrantRefused):
        node_side.command(downlink.sealed(K_CONSENT, TENANT, EPOCH, REVOKE, 5), other)


def test_no_bit_may_be_another() -> None:
    data = downlink.sealed(K_CONSENT, TENANT, EPOCH, REVOKE, 5)
    for bit in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(GrantRefused):
            node_side.command(bytes(wrong), state())


def test_one_for_each_day_on_the_topic_of_that_day() -> None:
    days = range(NODE.epoch0_day - 2, NODE.epoch0_day + 3)
    made = downlink.commands(NODE, REVOKE, 5, days)
    assert len(made) == 3
    for epoch, command in enumerate(made):
        session = derive.session_id(derive.Chain(bytes.fromhex(NODE.k_id)).at(epoch), TENANT)
        assert command.topic == f"pv/1/c/{session}" == f"{wire.TOPIC_PREFIX}c/{session}"
        assert node_side.command(command.payload, state(epoch)) == (REVOKE, 5)
    again = downlink.commands(NODE, REVOKE, 5, days)
    assert not {one.payload for one in made} & {one.payload for one in again}


@pytest.mark.parametrize(("kind", "number"), [(0, 1), (3, 1), (REVOKE, 0), (VOID, 0x40000000)])
def test_what_a_node_could_not_read_is_not_made(kind: int, number: int) -> None:
    with pytest.raises(ValueError, match="no command"):
        downlink.sealed(K_CONSENT, TENANT, EPOCH, kind, number)
