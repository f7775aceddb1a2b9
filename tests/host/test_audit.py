"""The audit of an access log: whatever was changed in it is found, and told apart from what a power cut did."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tools.accesslog import wait_for_lock
from host_tools.accesslog_chain import REMARKS_MAX
from host_tools.accesslog_format import Head, Torn, line_hash
from host_tools.audit import HEAD_LINE, Audit, Mark
from host_tools.errors import UsageError
from tests.host.logs import (
    Logged,
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
    signing_key,
)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """The bytes of a log of five entries."""
    log = open_log(tmp_path_factory.mktemp("five"))
    fill(log)
    return saved(log)


def test_a_sound_log(tmp_path: Path, five: Logged) -> None:
    found = audited(put_back(tmp_path, *five))
    assert (found.faults, found.notes) == ([], [])
    assert [entry.action for entry in found.entries] == ["create", "enrol", "resolve", "export", "open_location"]
    assert found.mark == Mark(5, line_hash(lines(five)[4]))
    assert str(found.mark) == f"5:{line_hash(lines(five)[4])}"


def test_each_byte_flipped(tmp_path: Path, five: Logged) -> None:
    """Each byte of the log with one bit flipped, each byte of the head: found, and at the line where it was done."""
    starts = [sum(map(len, lines(five)[:n])) for n in range(5)]
    for at in range(len(five.log)):
        flipped = bytearray(five.log)
        flipped[at] ^= 1 << at % 8
        found = audited(put_back(tmp_path, bytes(flipped), five.head))
        line = sum(start <= at for start in starts)
        assert first_fault(found)[0] == line, (at, found.faults)
        # Said once; a last line that is broken is not the one in the head either.
        assert len(found.faults) == 1 or (line >= 4 and len(found.faults) == 2), (at, found.faults)
        assert len(found.entries) in (3, 4), at
    for at in range(len(five.head)):
        flipped = bytearray(five.head)
        flipped[at] ^= 1 << at % 8
        found = audited(put_back(tmp_path, five.log, bytes(flipped)))
        assert [fault.line for fault in found.faults] == [HEAD_LINE], at


@pytest.mark.parametrize("at", range(5))
def test_each_line_removed_or_doubled(tmp_path: Path, five: Logged, at: int) -> None:
    own = lines(five)
    found = audited(put_back(tmp_path, b"".join(own[:at] + own[at + 1 :]), five.head))
    if at < 4:
        assert first_fault(found) == (at + 1, f"entry {at + 2} stands where entry {at + 1} should be")
    else:
        assert first_fault(found) == (HEAD_LINE, "the log ends with entry 4, its head names entry 5")
    found = audited(put_back(tmp_path, b"".join(own[: at + 1] + own[at:]), five.head))
    assert first_fault(found) == (at + 2, f"entry {at + 1} stands where entry {at + 2} should be")


def test_each_two_lines_swapped(tmp_path: Path, five: Logged) -> None:
    for first in range(5):
        for second in range(first + 1, 5):
            own = lines(five)
            own[first], own[second] = own[second], own[first]
            found = audited(put_back(tmp_path, b"".join(own), five.head))
            assert first_fault(found) == (first + 1, f"entry {second + 1} stands where entry {first + 1} should be")


def test_cut_at_each_byte(tmp_path: Path, five: Logged) -> None:
    for length in range(len(five.log)):
        assert not audited(put_back(tmp_path, five.log[:length], five.head)).sound, length
    with pytest.raises(UsageError, match="nothing was logged there yet, or it was taken away with its head"):
        audited(put_back(tmp_path, b"", None))
    with pytest.raises(UsageError, match="no access log"):
        audited(put_back(tmp_path, None, None))
    assert audited(put_back(tmp_path, None, five.head)).faults == [(HEAD_LINE, "the log itself is gone")]


def test_a_head_that_is_gone_or_older(tmp_path: Path, five: Logged) -> None:
    assert audited(put_back(tmp_path, five.log, None)).faults == [(HEAD_LINE, "the head is gone")]
    for count in range(4):
        found = audited(put_back(tmp_path, five.log, head_of(count, lines(five))))
        assert found.faults == [(HEAD_LINE, f"the head names entry {count}, the log goes on to entry 5")]
    # Just this a power cut leaves, and nothing is missing from the log.
    found = audited(put_back(tmp_path, five.log, head_of(4, lines(five))))
    assert (found.faults, [note.line for note in found.notes]) == ([], [5])


def test_a_head_of_another_time_or_key(tmp_path: Path, five: Logged) -> None:
    own = lines(five)
    other = Head.of(5, line_hash(b"another"), len(five.log), signing_key()).line()
    assert audited(put_back(tmp_path, five.log, other)).faults == [(HEAD_LINE, "the head names another last line")]
    other = Head.of(5, line_hash(own[4]), len(five.log) - 1, signing_key()).line()
    found = audited(put_back(tmp_path, five.log, other))
    assert found.faults == [(HEAD_LINE, "the head names another length of the log")]
    found = audited(put_back(tmp_path, five.log, head_of(5, own, key=9)))
    assert found.faults == [(HEAD_LINE, "the head is not signed by the log's key")]


@pytest.mark.parametrize("at", range(5))
def test_a_forged_entry(tmp_path: Path, five: Logged, at: int) -> None:
    """Signed by somebody else's key, or by the log's own without a place in the chain; then all that follows too."""
    own = lines(five)
    own[at] = again(own[at], key=9, count=0)
    assert first_fault(audited(put_back(tmp_path, b"".join(own), five.head))) == (
        at + 1,
        "not signed by the log's key",
    )
    own[at] = again(own[at], count=99)
    found = audited(put_back(tmp_path, b"".join(own), five.head))
    behind = (at + 2, "does not follow from the entry before it")
    assert first_fault(found) == (behind if at < 4 else (HEAD_LINE, "the head names another last line"))
    for n in range(at, 5):
        own[n] = again(own[n], key=9, prev=line_hash(own[n - 1]) if n else "0" * 64)
    found = audited(put_back(tmp_path, b"".join(own), head_of(5, own, key=9)))
    assert first_fault(found) == (at + 1, "not signed by the log's key")


def test_a_whole_log_of_somebody_elses(tmp_path: Path) -> None:
    fill(open_log(tmp_path, 9))
    found = audited(tmp_path / "store.log")
    assert first_fault(found)[0] in (HEAD_LINE, 1)
    assert (found.entries, found.mark.seq) == ([], 0)
    assert "may be another keystore's log" in found.notes[0].what


def test_noise_is_no_torn_write(tmp_path: Path, five: Logged) -> None:
    """Noise before the end that no entry vouches for; and an entry that vouches for what is not there."""
    own = lines(five)
    for at in range(5):
        found = audited(put_back(tmp_path, b"".join([*own[:at], b"noise\n", *own[at:]]), five.head))
        assert first_fault(found) == (at + 1, "not an entry")
    torn = Torn(length_bytes=6, sha256=line_hash(b"noise\n"))
    own[4] = again(own[4], torn=torn)
    head = head_of(5, own)
    found = audited(put_back(tmp_path, b"".join(own), head))
    assert first_fault(found) == (5, "vouches for an interrupted write that is not there")
    head = Head.of(5, line_hash(own[4]), sum(map(len, own)) + 6, signing_key()).line()
    found = audited(put_back(tmp_path, b"".join([*own[:4], b"noise\n", own[4]]), head))
    assert (found.faults, [note.line for note in found.notes]) == ([], [5])
    for noise in (b"noisy\n", b"noise", b"noise\n\n"):
        found = audited(put_back(tmp_path, b"".join([*own[:4], noise, own[4]]), head))
        assert first_fault(found) == (5, "not an entry")


def test_noise_behind_an_entry_without_its_head(tmp_path: Path, five: Logged) -> None:
    found = audited(put_back(tmp_path, five.log + b"noise", head_of(4, lines(five))))
    assert found.faults == [(6, "not an entry"), (HEAD_LINE, "the head names entry 4, the log goes on to entry 5")]
    found = audited(put_back(tmp_path, five.log + bytes(200_000), five.head))
    assert first_fault(found) == (6, "not an entry")


def test_what_was_noted_elsewhere_is_looked_for(tmp_path: Path, five: Logged) -> None:
    """A log put back with its head to an earlier state: only a head noted elsewhere tells."""
    own = lines(five)
    path = put_back(tmp_path, b"".join(own[:3]), head_of(3, own))
    assert audited(path).sound
    for seq in (1, 2, 3):
        assert audited(path, expected=Mark(seq, line_hash(own[seq - 1]))).sound
    noted = Mark(5, line_hash(own[4]))
    fault = (HEAD_LINE, "entry 5 with the hash expected is not in the log")
    assert audited(path, expected=noted).faults == [fault]
    # Written on from there, it has an entry 5 again: another one.
    for _ in range(2):
        open_log(tmp_path).append("list")
    assert audited(path).sound
    assert audited(path, expected=noted).faults == [fault]
    assert audited(put_back(tmp_path, *five), expected=noted).sound
    assert audited(put_back(tmp_path, None, None), expected=noted).faults == [(HEAD_LINE, "the log itself is gone")]
    assert fault in audited(put_back(tmp_path, b"", None), expected=noted).faults


def test_clocks_that_ran_back_are_noted(tmp_path: Path, five: Logged) -> None:
    own = lines(five)
    own[3] = again(own[3], time="2020-02-30T00:00:00Z")
    own[4] = again(own[4], prev=line_hash(own[3]))
    found = audited(put_back(tmp_path, b"".join(own), head_of(5, own)))
    assert (found.faults, [note.line for note in found.notes]) == ([], [4])


def test_many_faults_are_counted(tmp_path: Path, five: Logged) -> None:
    own = lines(five)
    audit = Audit(put_back(tmp_path, b"".join(own[:1] * (REMARKS_MAX + 12)), five.head), signers(0), own=public(0)[0])
    assert len(list(audit.entries())) == REMARKS_MAX + 12
    assert (len(audit.faults), audit.more_faults) == (REMARKS_MAX, 12)


def test_lines_nobody_would_write(tmp_path: Path, five: Logged) -> None:
    """Well-formed and signed by the log's own key, but not what the format allows; and JSON that bites."""
    own = lines(five)
    bites = [b"[" * 60_000, b"1" * 50_000, b'{"a":' * 20_000, b'"\\ud800"', b"\xff\xfe", b"NaN", b"{}", b""]
    bites += [own[4][:-2] + b',"version":1}', own[4].replace(b'"count":12', b'"count":12.0')]
    bites += [own[4].replace(b'"count":12', b'"count": 12'), own[4].replace(b"decode", b"\\u0064ecode")]
    bites += [own[4].replace(b"\n", b"\r\n"), own[4].replace(b'"count":12', b'"count":-12')]
    for bite in bites:
        found = audited(put_back(tmp_path, b"".join(own[:4]) + bite.rstrip(b"\n") + b"\n", five.head))
        assert not found.sound
        assert len(found.entries) == 4


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_change_is_found(tmp_path: Path, five: Logged, data: st.DataObject) -> None:
    """Cut, insert and overwrite anywhere, under a head of any time: sound only if all that the head names is there,
    and behind it at most what a power cut leaves."""
    log = bytearray(five.log)
    start = data.draw(st.integers(0, len(log)))
    end = data.draw(st.integers(start, min(len(log), start + 1500)))
    log[start:end] = data.draw(st.binary(max_size=40) | st.sampled_from(lines(five)))
    count = data.draw(st.sampled_from([5, 5, 4, 3]))
    found = audited(put_back(tmp_path, bytes(log), head_of(count, lines(five))))
    named = b"".join(lines(five)[:count])
    behind = bytes(log).removeprefix(named)
    whole = bytes(log).startswith(named)
    left_behind = count < 5 and behind == lines(five)[count]
    torn = not set(lines(five)) & set(behind.splitlines(keepends=True))
    assert found.sound == (whole and (left_behind or torn))
    if found.sound:
        assert len(found.notes) == bool(behind)


def test_an_audit_changes_nothing(tmp_path: Path, five: Logged) -> None:
    path = put_back(tmp_path, five.log + b"torn", head_of(4, lines(five)))
    before = {entry.name: (entry.stat().st_mtime_ns, entry.read_bytes()) for entry in tmp_path.iterdir()}
    audited(path)
    assert {entry.name: (entry.stat().st_mtime_ns, entry.read_bytes()) for entry in tmp_path.iterdir()} == before


def test_an_audit_while_others_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written between the first look and the lock is part of one and the same state."""
    log = open_log(tmp_path)
    fill(log)

    def late(file: int, kind: int) -> None:
        monkeypatch.undo()
        for _ in range(3):
            log.append("list")
        wait_for_lock(file, kind)

    monkeypatch.setattr("host_tools.audit.wait_for_lock", late)
    found = audited(log.path)
    assert (found.faults, found.notes, len(found.entries)) == ([], [], 8)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "store.log").mkdir()
    with pytest.raises(UsageError, match="Is a directory"):
        audited(tmp_path / "store.log")
    with pytest.raises(UsageError, match="Not a directory"):
        audited(Path(os.devnull) / "store.log")
