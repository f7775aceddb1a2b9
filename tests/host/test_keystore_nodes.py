"""Nodes in a keystore: added, changed and taken back wherever a chunk ends."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from host_tools.keys import keystore
from host_tools.keys.keystore import Keystore
from tests.host import keystores
from tests.host.keystores import PASSPHRASE, entry, make, opened

CHUNK = 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path)


def fill(store: Keystore, count: int) -> None:
    for n in range(count):
        store.add(entry(f"node-{n}"))


def contents(store: Keystore) -> Iterator[tuple[int, str, str]]:
    for one in store.nodes():
        yield one.number, one.name, one.board


@pytest.mark.parametrize("before", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
@pytest.mark.parametrize("added", [0, 1, CHUNK, CHUNK + 1])
def test_nodes_are_added_changed_and_taken_back_at_every_edge_of_a_chunk(
    tmp_path: Path, before: int, added: int
) -> None:
    path = tmp_path / "k"
    with keystore.create(path, PASSPHRASE, keystores.TENANT, cost=keystores.CHEAP) as store:
        fill(store, before)
        store.save()
    with opened(path, write=True) as store:
        for n in range(added):
            assert store.add(entry(f"new-{n}")).number == before + n
        for number in {0, before - 1, before, before + added - 1} & set(range(store.count)):
            store.put(dataclasses.replace(store.node(number), board="changed"))
        expected = list(contents(store))
        store.save()
        assert list(contents(store)) == expected
        with opened(path) as other:
            assert list(contents(other)) == expected
        if expected:
            generation = store.generation
            store.drop_last()
            assert list(contents(store)) == expected[:-1]
            store.save()
            assert store.generation != generation
            with opened(path) as other:
                assert list(contents(other)) == expected[:-1]
                assert other.find(expected[-1][1]) is None
    assert len(expected) == before + added


def test_the_generation_tells_of_every_change_of_keys_and_the_id_of_none(path: Path) -> None:
    with opened(path, write=True) as store:
        seen = [store.generation]
        store.save()
        assert store.generation == seen[0]
        for n in range(3):
            store.add(entry(f"node-{n}"))
            store.save()
            seen.append(store.generation)
        store_id = store.store_id
    with opened(path) as store:
        assert (store.generation, store.store_id) == (seen[-1], store_id)
    assert len(set(seen)) == 4


def test_the_file_is_what_its_description_says(path: Path) -> None:
    """Read by the format's description in host_tools/keys/container.py, with none of its code."""
    data = path.read_bytes()
    assert data[:8] == b"PVKEYS\x01\n"
    log2_n, r, p = data[8:11]
    salt, master, file_id, file_key = data[11:27], data[27:87], data[87:119], data[119:179]
    offset, length = struct.unpack(">QI", data[179:191])
    assert data[191:199] == hashlib.sha256(data[:191]).digest()[:8]

    def opened_by_hand(key: bytes, nonce_and_sealed: bytes, bound: bytes) -> bytes:
        return AESGCM(key).decrypt(nonce_and_sealed[:12], nonce_and_sealed[12:], bound)

    def chunk(kind: int, index: int, count: int, sealed: bytes) -> list[Any]:
        nonce = struct.pack(">BI", kind, index) + bytes(7)
        bound = cbor2.dumps([file_id, kind, index, count])
        found: list[Any] = cbor2.loads(AESGCM(opened_file_key).decrypt(nonce, sealed, bound))
        return found

    wrapping = hashlib.scrypt(keystores.PASSPHRASE.encode(), salt=salt, n=1 << log2_n, r=r, p=p, dklen=32)
    opened_master = opened_by_hand(wrapping, master, data[:27])
    label = cbor2.dumps(["keystore", "file"])
    extracted = hmac.digest(file_id, opened_master, "sha256")
    opened_file_key = opened_by_hand(hmac.digest(extracted, label + b"\x01", "sha256"), file_key, data[:119])
    directory = chunk(0, 0, 1, data[offset : offset + length])
    assert [row[0] for row in directory] == [2, 1]
    assert offset + length == len(data)
    first = 199
    nodes = chunk(2, 0, 1, data[first : first + directory[0][1]])
    assert [row[0] for row in nodes] == list(keystores.NAMES)
