"""The key file: refused unless only its owner may read it and every entry is sound; written whole or not at all."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from host_tools import registry
from host_tools.errors import UsageError
from tests.host.messages import CONSENT_SECRET, K_CHAIN, K_CONFIG, K_ID, REGISTRY

SECRET = "c0ffee" * 11


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / registry.KEY_FILE
    registry.save(REGISTRY, file)
    return file


def content() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(REGISTRY.model_dump_json())
    return loaded


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return path


def test_what_is_saved_is_loaded_and_its_owners_alone(path: Path) -> None:
    assert registry.load(path) == REGISTRY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_mode_is_0600_whatever_the_umask_and_the_file_before(path: Path) -> None:
    path.chmod(0o644)
    before = os.umask(0)
    try:
        registry.save(REGISTRY, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644, 0o601, 0o610, 0o602, 0o620])
def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(UsageError, match="chmod 600"):
        registry.load(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_the_owner_alone_is_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert registry.load(path) == REGISTRY


def test_a_link_to_an_open_file_is_refused(path: Path, tmp_path: Path) -> None:
    path.chmod(0o644)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    with pytest.raises(UsageError, match="chmod 600"):
        registry.load(link)


@pytest.mark.parametrize("cut", [0, 1, 2, 50, -2, -3])
def test_a_cut_file_is_refused(path: Path, cut: int) -> None:
    write(path, path.read_bytes()[:cut])
    with pytest.raises(UsageError, match="not a key file: file: Invalid JSON"):
        registry.load(path)


@pytest.mark.parametrize(
    "damage", [b"\xff\xfe{}", b"[]", b"null", b"{}x", b"[" * 100_000, b"\x00" * 64, b'{"nodes":7}']
)
def test_what_is_no_key_file_is_refused(path: Path, damage: bytes) -> None:
    with pytest.raises(UsageError, match="not a key file"):
        registry.load(write(path, damage))


DAMAGE = [
    (("version",), 2, "version"),
    (("extra",), 1, "file"),
    (("nodes", 0, "k_id"), "00" * 31, "nodes.0.k_id"),
    (("nodes", 0, "k_id"), "zz" * 32, "nodes.0.k_id"),
    (("nodes", 0, "k_id"), "AB" * 32, "nodes.0.k_id"),
    (("nodes", 0, "k_id"), "ab" * 32 + "\n", "nodes.0.k_id"),
    (("nodes", 0, "k_chain"), None, "nodes.0.k_chain"),
    (("nodes", 0, "k_chain"), K_ID.hex(), "nodes.0"),
    (("nodes", 0, "k_config"), K_CHAIN.hex(), "nodes.0"),
    (("nodes", 0, "k_config"), None, "nodes.0.k_config"),
    (("nodes", 0, "k_consent"), K_CHAIN.hex(), "nodes.0"),
    (("nodes", 0, "k_consent"), None, "nodes.0.k_consent"),
    (("nodes", 0, "policies", 0, "health_mask"), 2, "nodes.0.policies.0.health_mask"),
    (("nodes", 0, "consents", 0, "secret"), "00" * 31, "nodes.0.consents.0.secret"),
    (("nodes", 0, "consents", 0, "secret"), None, "nodes.0.consents.0.secret"),
    (("nodes", 0, "name"), "", "nodes.0.name"),
    (("nodes", 0, "name"), "a\x1b[2J", "nodes.0.name"),
    (("nodes", 0, "name"), "x" * 65, "nodes.0.name"),
    (("nodes", 0, "tenant"), 7, "nodes.0.tenant"),
    (("nodes", 0, "epoch0_day"), -1, "nodes.0.epoch0_day"),
    (("nodes", 0, "epoch0_day"), 10**9, "nodes.0.epoch0_day"),
    (("nodes", 0, "policies", 0, "version"), 65536, "nodes.0.policies.0.version"),
    (("nodes", 0, "policies", 0, "fields", "1"), 0, "nodes.0.policies.0.fields"),
    (("nodes", 0, "policies", 0, "fields", "99"), 1, "nodes.0.policies.0"),
    (("nodes", 0, "policies", 0, "fields", "x"), 1, "nodes.0.policies.0.fields"),
    (("nodes", 0, "policies", 0, "location_ceiling"), 5, "nodes.0.policies.0.location_ceiling"),
    (("nodes", 0, "consents", 0, "serial"), 0, "nodes.0.consents.0.serial"),
    (("nodes", 0, "consents", 0, "tier"), 0, "nodes.0.consents.0.tier"),
    (("nodes", 0, "consents", 0, "expires_s"), 2**63, "nodes.0.consents.0.expires_s"),
    (("nodes", 0, "consents", 0, "purpose"), "", "nodes.0.consents.0.purpose"),
    (("nodes", 0, "consents", 0, "who"), None, "nodes.0.consents.0.who"),
    (("nodes", 0, "consents", 0, "policy"), 65536, "nodes.0.consents.0.policy"),
    (("nodes", 0, "consents", 0, "delegation"), -1, "nodes.0.consents.0.delegation"),
    (("nodes", 0, SECRET), 1, "nodes.0"),
    (("nodes", 0, "policies", 0, "fields", SECRET), 1, "nodes.0.policies.0.fields"),
]


@pytest.mark.parametrize(("where", "value", "named"), DAMAGE)
def test_each_entry_is_checked_and_named_without_a_secret(
    path: Path, where: tuple[str | int, ...], value: object, named: str
) -> None:
    damaged: Any = content()
    inner = damaged
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    with pytest.raises(UsageError) as caught:
        registry.load(write(path, json.dumps(damaged)))
    told = str(caught.value)
    assert f"not a key file: {named}" in told
    assert caught.value.__cause__ is None
    assert not any(text in told for text in (K_ID.hex(), K_CHAIN.hex(), SECRET, "zz" * 32, "\x1b", "00" * 31))


def _twice(at: str, **change: object) -> dict[str, Any]:
    """The key file with a node, or one of the first node's policies or consents, in it twice."""
    twice = content()
    entries = twice["nodes"] if at == "nodes" else twice["nodes"][0][at]
    entries.append({**entries[0], **change})
    return twice


@pytest.mark.parametrize(
    ("twice", "what"),
    [
        (
            _twice("nodes", k_id="12" * 32, k_chain="34" * 32, k_config="56" * 32, k_consent="78" * 32),
            "node names repeat",
        ),
        (_twice("nodes", name="other", k_chain="34" * 32, k_config="56" * 32), "id secrets repeat"),
        (_twice("nodes", name="other", k_id="12" * 32, k_config="56" * 32), "chain secrets repeat"),
        (_twice("nodes", name="other", k_id="12" * 32, k_chain="34" * 32), "configuration secrets repeat"),
        (_twice("nodes", name="other", k_id="12" * 32, k_chain="34" * 32, k_config="56" * 32), "consent keys repeat"),
        (_twice("policies"), "policy versions repeat"),
        (_twice("consents", secret="78" * 32), "consent serials repeat"),
        (_twice("consents", serial=77), "consent secrets repeat"),
    ],
)
def test_duplicates_are_refused(path: Path, twice: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        registry.load(write(path, json.dumps(twice)))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the key file .*No such file"):
        registry.load(tmp_path / "absent.json")
    with pytest.raises(UsageError, match=r"cannot read the key file .*directory"):
        registry.load(tmp_path)


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if failing == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(os, "fsync", fail)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="No space left"):
        registry.save(registry.Registry(), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_is_interrupted_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        registry.save(registry.Registry(), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_new_file_is_on_disk_before_it_takes_the_old_ones_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace, fsync = Path.replace, os.fsync

    def note_replace(self: Path, target: Path) -> Path:
        done.append("replace")
        assert registry.load(self) == registry.Registry()
        return replace(self, target)

    def note_fsync(handle: int) -> None:
        done.append("fsync")
        fsync(handle)

    monkeypatch.setattr(Path, "replace", note_replace)
    monkeypatch.setattr(os, "fsync", note_fsync)
    registry.save(registry.Registry(), path)
    assert done == ["fsync", "replace"]
    assert registry.load(path) == registry.Registry()


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write the key file"):
        registry.save(REGISTRY, tmp_path / "absent" / "keys.json")


def test_repr_shows_no_secret() -> None:
    assert "fridge" in repr(REGISTRY)
    shown = repr(REGISTRY) + str(REGISTRY) + repr(REGISTRY.nodes[0].consents)
    assert not any(secret.hex() in shown for secret in (K_ID, K_CHAIN, K_CONFIG, CONSENT_SECRET))


def test_where_the_key_file_is_looked_for(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(registry.KEYS_VARIABLE, raising=False)
    folder = tmp_path / "messages"
    folder.mkdir()
    inner = folder / "deep"
    inner.mkdir()
    given = Path("given.json")
    assert registry.find(str(folder), given) == given
    assert registry.find(str(tmp_path), None) == path
    assert registry.find(str(folder), None).samefile(path)
    assert registry.find(str(folder / "x.cbor"), None).samefile(path)
    with pytest.raises(UsageError, match=r"no keys\.json"):
        registry.find(str(inner), None)
    monkeypatch.setenv(registry.KEYS_VARIABLE, "elsewhere.json")
    assert registry.find(str(inner), None) == Path("elsewhere.json")
    own = folder / registry.KEY_FILE
    registry.save(REGISTRY, own)
    assert registry.find(str(folder), None) == own


def test_a_path_too_long_to_look_at_is_an_error_of_usage() -> None:
    with pytest.raises(UsageError, match="name too long"):
        registry.find("x" * 300, None)
