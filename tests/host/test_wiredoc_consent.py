"""What docs/wire-format.md says of grants, commands and the node's log: its examples hold against its CDDL, which
agrees with the host's reader.
"""

from __future__ import annotations

import hmac

import cbor2
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools import derive, terms_examples
from host_tools import reference_encoder as encoder
from host_tools.receipts import entries
from plumveil import terms, wire
from tests.host.test_wiredoc import START_S, holds, octets


def grant(name: str) -> list:
    """[protected, unprotected, payload, tag] of a grant of the document."""
    return list(cbor2.loads(octets(f"hex {name}")).value)


@pytest.mark.parametrize("name", ["grant", "delegated grant"])
def test_grants_hold_against_the_cddl(name: str) -> None:
    assert holds("grant", octets(f"hex {name}"))
    protected, unprotected, payload, tag = grant(name)
    assert protected == bytes.fromhex("a10105")
    assert holds("grant-header", protected)
    assert not holds("grant-header", bytes.fromhex("a10106"))
    assert holds("grant-payload", payload)
    body = cbor2.loads(payload)
    key = derive.grant_key(terms_examples.K_CONSENT, body.get(terms.G_DELEGATION))
    assert tag == hmac.digest(key, cbor2.dumps(["MAC0", protected, b"", payload]), "sha256")
    for place in range(4):
        parts = [protected, unprotected, payload, tag]
        del parts[place]
        assert not holds("grant", cbor2.dumps(cbor2.CBORTag(terms.COSE_TAG_MAC0, parts)))
    for parts in ([protected + b"x", unprotected, payload, tag], [protected, unprotected, payload, tag[:-1]]):
        assert not holds("grant", cbor2.dumps(cbor2.CBORTag(terms.COSE_TAG_MAC0, parts)))


@pytest.mark.parametrize("name", ["grant", "delegated grant"])
def test_a_payload_without_a_part_does_not_hold(name: str) -> None:
    body = cbor2.loads(grant(name)[2])
    for key in body:
        assert not holds("grant-payload", cbor2.dumps({k: v for k, v in body.items() if k != key}, canonical=True))
    assert not holds("grant-payload", cbor2.dumps({**body, 99: 1}, canonical=True))


def test_commands_hold_against_the_cddl() -> None:
    data = octets("hex command")
    assert holds("command", data)
    assert len(data) <= terms.DOWN_MAX_BYTES
    protected, _, ciphertext = cbor2.loads(data).value
    assert holds("command-header", protected)
    key = derive.command_key(terms_examples.K_CONSENT, terms_examples.EPOCH)
    bound = cbor2.dumps(["Encrypt0", protected, cbor2.dumps([terms.L_DOWN, terms_examples.TENANT])])
    plain = AESCCM(key, wire.TAG_BYTES).decrypt(cbor2.loads(protected)[terms.COSE_HDR_IV], ciphertext, bound)
    assert holds("command-plaintext", plain)
    assert cbor2.loads(plain) == [terms.DOWN_REVOKE, terms_examples.CONSENT_SERIAL]
    assert not holds("command-plaintext", cbor2.dumps([3, 1]))


@pytest.mark.parametrize("name", ["entry granted", "entry withdrawn"])
def test_entries_hold_against_the_cddl(name: str) -> None:
    data = octets(f"hex {name}")
    assert holds("entry", data)
    assert entries.read(data).raw == data
    parts = cbor2.loads(data)
    for place, other in ((0, 0), (1, bytes(31)), (2, 99), (3, 0), (4, [])):
        changed = list(parts)
        changed[place] = other
        raw = cbor2.dumps(changed, canonical=True)
        assert not holds("entry", raw)
        with pytest.raises(entries.NotAnEntry):
            entries.read(raw)


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        (terms.LOG_GRANTED, terms_examples.logged(terms_examples.PAYLOAD)),
        (terms.LOG_GRANTED, terms_examples.logged(terms_examples.DELEGATED)),
        *((terms.LOG_WITHDRAWN, [7, by]) for by in entries.WITHDRAWN_BY),
        (terms.LOG_VOIDED, [3]),
        (terms.LOG_EXPIRED, [7]),
        (terms.LOG_INSUFFICIENT, [7, 2]),
        (terms.LOG_POLICY, [2]),
        *((terms.LOG_REFUSED, [reason]) for reason in entries.REFUSALS),
    ],
    ids=str,
)
def test_the_cddl_and_the_reader_agree_on_every_kind_of_entry(kind: int, details: object) -> None:
    for t_s in (None, START_S):
        data = encoder.log_entry(2, bytes([1] * 32), kind, t_s, details)
        assert holds("entry", data)
        assert entries.read(data).details == details
    for other in set(entries.KINDS) - {kind}:
        data = encoder.log_entry(2, bytes([1] * 32), other, START_S, details)
        try:
            readable = entries.read(data).kind == other
        except entries.NotAnEntry:
            readable = False
        assert holds("entry", data) == readable


def test_the_second_entry_names_the_first() -> None:
    first, second = (entries.read(octets(f"hex entry {name}")) for name in ("granted", "withdrawn"))
    assert (first.number, second.number, second.before) == (1, 2, first.hash)
