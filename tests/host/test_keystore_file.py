"""The keystore's file: opens under its passphrase and no other, notices every changed byte, and is replaced whole."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest

from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import container, keystore, meta, sealing
from host_tools.keys.container import HEADER_BYTES, MAGIC, Reader
from host_tools.keys.faults import Damaged, WrongPassphrase
from host_tools.keys.sealing import STRONG, Cost
from tests.host import keystores
from tests.host.keystores import NAMES, PASSPHRASE, entry, make, opened

CHUNK = 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path)


def read_all(path: Path) -> list[str]:
    with opened(path) as store:
        return [one.name for one in store.nodes()]


def test_what_is_saved_is_read_back(path: Path) -> None:
    with opened(path) as store:
        assert (store.role, store.tenant, store.expires_s, store.count) == ("controller", "acme", None, 3)
        for number, name in enumerate(NAMES):
            found = store.find(name)
            assert found is not None
            assert found == store.node(number) == dataclasses.replace(entry(name), number=number)
            assert store.find_board(keystores.secret(name, "board")[:16]) == found
        assert store.find("nobody") is None
        with pytest.raises(IndexError):
            store.node(3)
        registry = store.registry()
    assert [node.name for node in registry.nodes] == list(NAMES)
    assert registry.nodes[0].k_chain == keystores.secret(NAMES[0], "chain").hex()


def test_mode_is_0600_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = make(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644, 0o601, 0o610, 0o602, 0o620])
def test_a_file_open_to_others_is_refused_for_reading_and_writing(path: Path, mode: int) -> None:
    path.chmod(mode)
    for write in (False, True):
        with pytest.raises(UsageError, match="may be read by others than its owner; run: chmod 600"):
            opened(path, write=write)


def test_a_wrong_passphrase_and_one_in_another_spelling(tmp_path: Path, path: Path) -> None:
    for wrong in (PASSPHRASE[:-1], PASSPHRASE + " ", PASSPHRASE.upper(), "", "x" * 2000):
        with pytest.raises(WrongPassphrase, match=r"^wrong passphrase for .*acme\.keystore$"):
            opened(path, wrong)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"PVKEYS", b'{"nodes": []}', bytes(4096), b"PVKEYS\x02\n" + bytes(900)]
)
def test_a_foreign_file_is_no_keystore(tmp_path: Path, content: bytes) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(content)
    foreign.chmod(0o600)
    assert not keystore.is_keystore(foreign)
    with pytest.raises(Damaged):
        opened(foreign)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the keystore .*No such file"):
        opened(tmp_path / "none")
    with pytest.raises(UsageError, match=r"cannot read the keystore .*directory"):
        opened(tmp_path)
    with pytest.raises(UsageError, match="cannot read"):
        keystore.is_keystore(tmp_path / "none")


def refused(path: Path, data: bytes) -> str:
    """Puts other bytes in the file's place -> the line with which it is refused, opened or read through."""
    path.write_bytes(data)
    with pytest.raises(PlumveilError) as caught:
        read_all(path)
    assert isinstance(caught.value, Damaged | WrongPassphrase)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
def test_each_byte_changed_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for at in range(len(whole)):
        line = refused(path, whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        assert "is damaged" in line or (at < len(MAGIC) and "is no keystore" in line), at
    path.write_bytes(whole)
    assert read_all(path) == list(NAMES)


@pytest.mark.slow
def test_each_byte_of_the_header_changed_by_one_who_mends_its_check(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check is no secret. What is behind it is authenticated, and scrypt's cost is bounded before it is paid."""
    whole = path.read_bytes()
    dearest: list[Cost] = []
    derive = sealing.from_passphrase

    def noted(passphrase: str, salt: bytes, cost: Cost) -> bytes:
        dearest.append(cost)
        return derive(passphrase, salt, keystores.CHEAP)

    monkeypatch.setattr(sealing, "from_passphrase", noted)
    for at in range(len(MAGIC), HEADER_BYTES - 8):
        for flip in range(8):
            header = bytearray(whole[: HEADER_BYTES - 8])
            header[at] ^= 1 << flip
            check = hashlib.sha256(header).digest()[:8]
            refused(path, bytes(header) + check + whole[HEADER_BYTES:])
    assert all(128 * cost.r << cost.log2_n <= 1 << 30 for cost in dearest)
    assert max(cost.p * cost.r << cost.log2_n for cost in dearest) <= 16 << 20
    assert len(dearest) > 100


@pytest.mark.parametrize(
    "cost",
    [Cost(9, 8, 1), Cost(21, 1, 1), Cost(20, 16, 1), Cost(17, 8, 17), Cost(63, 8, 1), Cost(10, 0, 1), Cost(10, 8, 0)],
)
def test_no_keystore_is_made_beyond_the_bounds_of_scrypt(tmp_path: Path, cost: Cost) -> None:
    with pytest.raises(ValueError, match="scrypt cost"):
        keystore.create(tmp_path / "k", PASSPHRASE, "acme", cost=cost)
    assert list(tmp_path.iterdir()) == []


def test_the_default_cost_is_128_mib(tmp_path: Path) -> None:
    assert (128 * STRONG.r << STRONG.log2_n, STRONG.p) == (128 << 20, 1)
    keystore.create(tmp_path / "k", PASSPHRASE, "acme").close()
    assert tuple((tmp_path / "k").read_bytes()[len(MAGIC) : len(MAGIC) + 3]) == STRONG


@pytest.mark.slow
def test_each_truncation_and_what_is_appended(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        refused(path, whole[:length])
    for tail in (b"\0", whole, bytes(70)):
        refused(path, whole + tail)


def places(path: Path) -> dict[int, list[tuple[int, int]]]:
    """Where the chunks lie: kind -> [(offset, length)]."""
    with opened(path) as store:
        return dict(store._reader._places)


def test_a_chunk_of_an_earlier_state_or_another_place_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, *(entry(f"node-{n:04}") for n in range(CHUNK + 1)))
    with opened(path, write=True) as store:
        store.put(dataclasses.replace(store.node(0), board="virtuel"))
        before = path.read_bytes()
        store.save()
    after = path.read_bytes()
    (first, length), (second, _) = places(path)[container.NODES]
    assert len(before) == len(after)
    refused(path, after[:first] + before[first : first + length] + after[first + length :])
    path.write_bytes(after)
    assert len(read_all(path)) == CHUNK + 1
    swapped = bytearray(after)
    short = places(path)[container.NODES][1][1]
    swapped[first : first + short] = after[second : second + short]
    refused(path, bytes(swapped))


@pytest.mark.parametrize(("step", "which"), [(1, "a later"), (-1, "an earlier")])
def test_a_keystore_of_another_version_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: int, which: str
) -> None:
    # Another version's content need not be one that this one could read.
    other = cbor2.dumps({"version": meta.VERSION + step})
    with opened(path, write=True) as store, monkeypatch.context() as patch:
        patch.setattr(meta, "encode", lambda _: other)
        with pytest.raises(PlumveilError, match=f"was written by {which} version of Plumveil"):
            store.save()
    with pytest.raises(PlumveilError, match=f"was written by {which} version of Plumveil"):
        opened(path)


def test_one_node_costs_one_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path, *(entry(f"node-{n:04}") for n in range(3 * CHUNK + 5)))
    read: list[tuple[int, int]] = []
    chunk = Reader.chunk

    def noted(self: Reader, kind: int, index: int) -> bytes:
        read.append((kind, index))
        return chunk(self, kind, index)

    with opened(path) as store:
        monkeypatch.setattr(Reader, "chunk", noted)
        assert store.node(2 * CHUNK + 7).name == "node-2055"
        assert read == [(container.NODES, 2)]
        assert store.count == 3 * CHUNK + 5


def test_no_key_and_nonce_twice(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bytes, bytes]] = []
    seal = sealing.seal

    def noted(key: bytes, nonce: bytes, plaintext: bytes, bound: bytes) -> bytes:
        seen.append((key, nonce))
        return seal(key, nonce, plaintext, bound)

    monkeypatch.setattr(sealing, "seal", noted)
    with opened(path, write=True) as store:
        for n in range(20):
            store.add(entry(f"node-{n}"))
            store.save()
    for n in range(5):
        keystore.create(tmp_path / f"other-{n}", PASSPHRASE, "acme", cost=keystores.CHEAP).close()
    assert len(seen) > 90
    assert len(set(seen)) == len(seen)


def test_nothing_of_it_can_be_read_in_the_file(path: Path) -> None:
    data = path.read_bytes()
    for name in NAMES:
        for kind in ("id", "chain", "config", "consent key", "consent 77"):
            assert keystores.secret(name, kind) not in data
            assert keystores.secret(name, kind).hex().encode() not in data
        assert name.encode() not in data
    assert b"acme" not in data
    assert PASSPHRASE.encode() not in data


def test_no_secret_in_a_repr(path: Path) -> None:
    with opened(path) as store:
        shown = [
            repr(part) for part in (store, store.meta, *store.nodes(), store._reader.opening, store.node(0).keys)
        ]
        held = keystores.secrets_in(path, PASSPHRASE)
        held.discard(store.log_public_keys[0])
        assert store.meta.enrol_public is not None
        held.discard(store.meta.enrol_public)
        assert len(held) > 10
        for one in held:
            assert not any(form in text for text in shown for form in (one.hex(), repr(one)[2:-1]))


@pytest.mark.parametrize("spell", [str, lambda path: path.parent / "link"], ids=["itself", "link"])
def test_a_link_to_a_keystore_stays_one(path: Path, spell: Callable[[Path], Path]) -> None:
    named = Path(spell(path))
    if named.name == "link":
        named.symlink_to(path)
    with opened(named, write=True) as store:
        store.add(entry("later"))
        store.save()
        assert store.path == path
    assert named.is_symlink() == (named != path)
    assert read_all(path)[-1] == "later"
