"""Who may sign an access log when: rotations, keys handed out, keys that are not known yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.audit import HEAD_LINE, Audit, Signer
from host_tools.errors import PlumveilError
from tests.host.logs import (
    again,
    audited,
    fill,
    first_fault,
    head_of,
    lines,
    open_log,
    public,
    put_back,
    saved,
    signers,
)


def test_rotations(tmp_path: Path) -> None:
    """Each key signs its own time only; whoever knows the first follows, and is told of keys that he lacks."""
    fill(open_log(tmp_path))
    open_log(tmp_path).rotate(*public(1))
    open_log(tmp_path, 1, (0,)).append("list")
    open_log(tmp_path, 1, (0,)).append("list")
    whole = saved(open_log(tmp_path))
    own = lines(whole)
    path = tmp_path / "store.log"
    assert audited(path, 0, 1, own=1) == audited(path, 1, 0, own=1) == audited(path, 9, 0, 1, own=None)
    assert (audited(path, 0, 1, own=1).faults, audited(path, 0, 1, own=1).notes) == ([], [])
    what = "signed by a key that a rotation named and this keystore does not hold"
    assert audited(path, 0, own=1).faults == [(7, what)]
    found = audited(path, 0, own=None)
    assert (found.faults, found.notes) == ([], [(7, f"{what}: ask for a newer one")])
    # The new key alone vouches for nothing before its time.
    assert first_fault(audited(path, 1, own=1)) == (1, "not signed by the log's key")

    def told(at: int, line: bytes) -> tuple[int, str]:
        changed = [*own[:at], line, *own[at + 1 :]]
        return first_fault(audited(put_back(tmp_path, b"".join(changed), whole.head), 0, 1, own=1))

    not_in_force = "signed by a key that was not in force"
    assert told(6, again(own[6], key=0)) == (7, not_in_force)
    assert told(7, again(own[7], key=0)) == (8, not_in_force)
    assert told(3, again(own[3], key=1)) == (4, not_in_force)
    assert told(7, again(own[7], key=0, action="rotate", next_key=public(9)[0].hex())) == (8, not_in_force)
    odd = "names a next key without being a rotation, or the other way round"
    assert told(2, again(own[2], next_key=public(9)[0].hex())) == (3, odd)
    assert told(5, again(own[5], next_key=None)) == (6, odd)


def test_a_key_signs_for_its_own_role(tmp_path: Path) -> None:
    """A processor whose key the auditor holds too must not pass for the controller."""
    fill(open_log(tmp_path, 1))
    known = signers(0) | {public(1)[0]: Signer("processor", "a processor's key")}
    audit = Audit(tmp_path / "store.log", known, own=None)
    assert len(list(audit.entries())) == 5
    assert audit.faults == [(n, "says controller, and is signed by a processor's key") for n in range(1, 6)]
    assert audit.signed_by == [Signer("processor", "a processor's key")]
    put_back(tmp_path, None, None)
    open_log(tmp_path, 1, role="processor").append("open_location", ["0123456789abcdef"], 1)
    open_log(tmp_path, 1, role="processor").rotate(*public(2))
    open_log(tmp_path, 2, (1,), role="processor").append("list")
    audit = Audit(tmp_path / "store.log", known, own=None)
    assert len(list(audit.entries())) == 3
    assert (audit.faults, len(audit.notes)) == ([], 1)


def test_a_key_that_was_rotated_out_cuts_nothing_off(tmp_path: Path) -> None:
    """Who has an old key, and may write the files, makes a head for the log as it was at some earlier time."""
    fill(open_log(tmp_path))
    open_log(tmp_path).rotate(*public(1))
    for _ in range(3):
        open_log(tmp_path, 1, (0,)).append("list")
    own = lines(saved(open_log(tmp_path)))
    for count in (7, 8):
        path = put_back(tmp_path, b"".join(own[:count]), head_of(count, own))
        fault = (HEAD_LINE, "the head is signed by a key that was not in force")
        assert audited(path, 0, 1, own=1).faults == audited(path, 0, 1, own=None).faults == [fault]
        with pytest.raises(PlumveilError, match="its head is signed by a key that was not in force"):
            open_log(tmp_path, 1, (0,)).append("list")
    path = put_back(tmp_path, b"".join(own[:8]), head_of(7, own))
    assert audited(path, 0, 1, own=1).faults == [fault]
    # Before it was rotated out it was in force: only the keystore that has come further tells.
    for count in (1, 5):
        path = put_back(tmp_path, b"".join(own[:count]), head_of(count, own))
        assert audited(path, 0, 1, own=None).sound
        fault = (HEAD_LINE, "the log ends before the keystore's key came into force, or after")
        assert audited(path, 0, 1, own=1).faults == [fault]
        with pytest.raises(PlumveilError, match="the key in force is not this keystore's"):
            open_log(tmp_path, 1, (0,)).append("list")
        assert path.read_bytes() == b"".join(own[:count])


def test_a_rotation_that_is_under_way(tmp_path: Path) -> None:
    """The old key announced the new one, and one of the two is the keystore's by now."""
    fill(open_log(tmp_path))
    open_log(tmp_path).rotate(*public(1))
    own = lines(saved(open_log(tmp_path)))
    for key in (0, 1):
        for count in (5, 6):
            # The head of the announcement may not have been written, and is then by whoever comes next.
            put_back(tmp_path, b"".join(own), head_of(count, own))
            assert audited(tmp_path / "store.log", 0, 1, own=key).sound
            open_log(tmp_path, key, (1 - key,)).append("list")
            found = audited(tmp_path / "store.log", 0, 1, own=key)
            assert (found.faults, len(found.entries)) == ([], 7 if key else 8)
