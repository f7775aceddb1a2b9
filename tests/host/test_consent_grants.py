"""Grants: another COSE implementation and the node take what the host makes, and nothing that was changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycose import headers
from pycose.algorithms import HMAC256
from pycose.keys.symmetric import SymmetricKey
from pycose.messages.mac0message import Mac0Message

from host_tools import derive
from host_tools.consent import grants, mac0
from host_tools.consent.grants import Terms
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import files
from plumveil import terms, wire
from plumveil.errors import GrantRefused
from tests.host.consenting import State, read
from tests.host.keystores import NOW_S, TENANT, node

NODE = node("freezer-3")
K_CONSENT = bytes.fromhex(NODE.k_consent)
GIVEN = Terms(3, "delivery to ward nine", "2026-06", "Dr. A. Nurse", NOW_S - 60, NOW_S + 86400)
KEY = bytes(range(32))


def issued(serial: int = 77, **changes: Any) -> grants.Issued:
    return grants.issue(NODE, Terms(**{**vars(GIVEN), **changes}), NOW_S, serial, 1)


def test_another_implementation_has_the_same_mac() -> None:
    data = issued().data
    assert data[0] == 0xC0 | Mac0Message.cbor_tag == 0xC0 | terms.COSE_TAG_MAC0
    other: Any = Mac0Message.from_cose_obj(cbor2.loads(data[1:]), True)
    assert other.get_attr(headers.Algorithm) is HMAC256
    assert other.uhdr == {}
    other.key = SymmetricKey(derive.grant_key(K_CONSENT))
    assert other.verify_tag()
    assert other.payload == mac0.opened(derive.grant_key(K_CONSENT), data)
    other.key = SymmetricKey(derive.grant_key(KEY))
    assert not other.verify_tag()


def test_what_another_implementation_makes_is_taken() -> None:
    other = Mac0Message(phdr={headers.Algorithm: HMAC256}, payload=b"payload", key=SymmetricKey(KEY))
    message = bytes(other.encode())
    assert mac0.opened(KEY, message) == b"payload"
    assert mac0.seal(KEY, b"payload") == message


def test_the_node_takes_it_as_it_was_given() -> None:
    made = issued()
    parts = read("freezer-3", made.data)
    assert parts == cbor2.loads(mac0.unproven(made.data))
    assert len(parts) == 12
    record = made.record
    assert (parts[terms.G_SERIAL], parts[terms.G_TIER], parts[terms.G_PURPOSE]) == (77, 3, GIVEN.purpose)
    assert (parts[terms.G_STARTS_S], parts[terms.G_EXPIRES_S]) == (record.starts_s, record.expires_s)
    assert (parts[terms.G_NOTICE], parts[terms.G_WHO]) == (record.notice, record.who) == ("2026-06", "Dr. A. Nurse")
    assert (parts[terms.G_ISSUED_S], parts[terms.G_POLICY]) == (record.issued_s, record.policy) == (NOW_S, 1)
    assert parts[terms.G_SECRET].hex() == record.secret
    assert (record.delegation, record.person, record.revoked_s, record.receipted) == (0, None, None, False)
    with pytest.raises(GrantRefused):
        read("freezer-3", made.data, State("freezer-3", 77))


def test_each_has_a_secret_of_its_own_and_none_shows_it() -> None:
    made = [issued() for _ in range(20)]
    assert len({one.record.secret for one in made}) == 20
    shown = "".join(f"{one!r} {one}" for one in [*made, grants.given_to(NODE, GIVEN, NOW_S)])
    assert not [one for one in made if one.record.secret in shown]


def test_no_bit_may_be_another_and_no_end_be_missing() -> None:
    data, key = issued().data, derive.grant_key(K_CONSENT)
    for bit in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(mac0.NoMac0):
            mac0.opened(key, bytes(wrong))
        with pytest.raises(GrantRefused):
            read("freezer-3", bytes(wrong))
    for size in range(len(data)):
        with pytest.raises(mac0.NoMac0):
            mac0.opened(key, data[:size])
    with pytest.raises(mac0.NoMac0):
        mac0.opened(key, data + b"\x00")


@given(st.binary(max_size=80))
def test_bytes_that_are_no_grant_are_refused_in_one_way(data: bytes) -> None:
    with pytest.raises(mac0.NoMac0):
        mac0.unproven(data)
    with pytest.raises(PlumveilError):
        grants.split(data)


@pytest.mark.parametrize("payload", [b"", b"\xa0", b"\xff", cbor2.dumps({1: 2}), cbor2.dumps([1]), b"\xa1\x01"])
def test_a_payload_of_other_parts_is_no_grant(payload: bytes) -> None:
    with pytest.raises(PlumveilError, match="that is no grant"):
        grants.unproven(mac0.seal(KEY, payload))


def test_texts_that_take_too_many_bytes_are_refused_before_the_node_would() -> None:
    longest: dict[str, Any] = {"purpose": "x" * 64, "notice": "y" * 64, "who": "z" * 64}
    assert read("freezer-3", issued(**longest).data)[terms.G_WHO] == "z" * 64
    with pytest.raises(UsageError, match=r"texts are too long: the grant takes \d+ bytes, and a node takes 768"):
        issued(purpose="\U0001f69a" * 64, notice="\U0001f69a" * 64, who="\U0001f69a" * 64)


def test_serials_only_rise() -> None:
    assert grants.serial_at(NOW_S, 0) == NOW_S - wire.UNIX_MIN_S
    assert grants.serial_at(NOW_S, NOW_S) == NOW_S + 1
    first = grants.given_to(NODE, GIVEN, NOW_S)
    second = grants.given_to(first.node, GIVEN, NOW_S)
    assert [one.serial for one in second.node.consents] == [NOW_S - wire.UNIX_MIN_S, NOW_S - wire.UNIX_MIN_S + 1]


def test_a_batch_is_a_sequence_and_each_node_finds_its_newest(tmp_path: Path) -> None:
    batch = [grants.issue(node(f"n{n}"), GIVEN, NOW_S, 9, 1).data for n in range(3)]
    path = tmp_path / "batch"
    files.write_private(path, b"".join([*batch, issued(8).data, issued(9).data, issued(7).data]), "grant")
    found = grants.load(path)
    assert len(found) == 6
    own = grants.of_node(found, derive.grant_node(K_CONSENT, TENANT))
    assert own is not None
    assert grants.unproven(own)[terms.G_SERIAL] == 9
    assert grants.of_node(found, bytes(8)) is None
    for cut in (1, len(batch[0]) + 1, len(batch[0]) * 2 - 1):
        with pytest.raises(PlumveilError):
            grants.split(b"".join(batch)[:cut])
    with pytest.raises(PlumveilError, match="there is no grant"):
        grants.split(b"")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="may be read by others"):
        grants.load(path)
    with pytest.raises(UsageError, match="cannot read"):
        grants.load(tmp_path / "absent")


def test_a_file_without_an_end_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "FILE_MAX_BYTES", 100)
    path = tmp_path / "large"
    files.write_private(path, bytes(101), "grant")
    with pytest.raises(PlumveilError, match="longer than any file of grants"):
        grants.load(path)
