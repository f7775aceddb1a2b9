"""The access log found in a state that a power cut left, or somebody else: mended the one, refused the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_tools.accesslog_format import LINE_MAX_BYTES, Head
from host_tools.errors import PlumveilError
from tests.host.logs import Logged, audited, fill, open_log, put_back, saved, signing_key, states


@pytest.fixture
def five(tmp_path: Path) -> Logged:
    """A log of five entries stands in tmp_path."""
    log = open_log(tmp_path)
    fill(log)
    return saved(log)


@pytest.mark.parametrize("before", range(5))
def test_a_power_cut_at_any_byte_of_a_line(tmp_path: Path, five: Logged, before: int) -> None:
    """The line was torn, or whole without its head: the next entry follows, and an audit finds nothing amiss."""
    log, head = list(states(five))[before]
    line = five.log.splitlines(keepends=True)[before]
    for cut in [*range(1, len(line), 7), len(line) - 1, len(line)]:
        path = put_back(tmp_path, log + line[:cut], head)
        whole = cut == len(line)
        found = audited(path)
        assert (found.faults, len(found.notes), len(found.entries)) == ([], 1, before + whole), cut
        open_log(tmp_path).append("resolve", ["ward-3"], 1)
        found = audited(path)
        assert (found.faults, len(found.notes), len(found.entries)) == ([], not whole, before + whole + 1), cut
        # The evidence stays where it is.
        assert path.read_bytes().startswith(log + line[:cut])
        assert found.entries[-1].torn is None or found.entries[-1].torn.length_bytes == cut + 6


@pytest.mark.parametrize("rest", [b"\n", b"\0" * 4096, b"\r{}\r\n\n\xff", b"x" * 100_000, b'{"seq":6}\n'])
def test_whatever_a_power_cut_left(tmp_path: Path, five: Logged, rest: bytes) -> None:
    path = put_back(tmp_path, five.log + rest, five.head)
    for n in range(3):
        found = audited(path)
        assert (found.faults, len(found.notes), len(found.entries)) == ([], 1, 5 + n)
        open_log(tmp_path).append("resolve", ["ward-3"], 1)
        assert audited(path).faults == []


def test_power_cuts_in_a_row(tmp_path: Path, five: Logged) -> None:
    """Also the entry that sets a torn one aside may be torn, or be left without its head."""
    path = put_back(tmp_path, five.log + b'{"act', five.head)
    open_log(tmp_path).append("resolve", ["ward-3"], 1)
    mended = path.read_bytes()[len(five.log) :]
    for cut in range(5, len(mended) + 1):
        path = put_back(tmp_path, five.log + mended[:cut], five.head)
        open_log(tmp_path).append("resolve", ["truck-17"], 1)
        found = audited(path)
        assert (found.faults, len(found.entries)) == ([], 7 if cut == len(mended) else 6), cut


# What the refusal says, and (log, head) of what was changed; `before` has them as they were after 0, 1, ... entries.
Change = Callable[[Logged, list[tuple[bytes, bytes]]], tuple[bytes | None, bytes | None]]
CHANGES: dict[str, tuple[str, Change]] = {
    "head gone": ("its head is gone", lambda five, _: (five.log, None)),
    "head older by two": ("it goes on behind its head", lambda five, before: (five.log, before[3][1])),
    "head cut": ("its head is not a head as it was written", lambda five, _: (five.log, five.head[:-1])),
    "head changed": (
        "its head is not signed by the log's key",
        lambda five, _: (five.log, five.head.replace(b'"seq":5', b'"seq":4')),
    ),
    "head of another key": (
        "its head is not signed by the log's key",
        lambda five, before: (five.log, Head.of(5, "0" * 64, 9, signing_key(9)).line()),
    ),
    "log gone": ("it is gone, and its head is there", lambda five, _: (None, five.head)),
    "log empty": ("it is shorter than its head says", lambda five, _: (b"", five.head)),
    "log cut by a byte": ("it is shorter than its head says", lambda five, _: (five.log[:-1], five.head)),
    "log cut by a line": ("it is shorter than its head says", lambda five, before: (before[4][0], five.head)),
    "last line changed": ("its last entry is not", lambda five, _: (five.log[:-9] + b"0" + five.log[-8:], five.head)),
    "log and head of different times": ("it goes on behind its head", lambda five, before: (five.log, before[1][1])),
    "noise behind": (
        "it is longer than its head says",
        lambda five, _: (five.log + b"x" * (2 * LINE_MAX_BYTES + 1), five.head),
    ),
    "last line twice": (
        "it goes on behind its head",
        lambda five, before: (five.log + five.log[len(before[4][0]) :], five.head),
    ),
    "an entry and noise behind the head": (
        "it goes on behind its head",
        lambda five, before: (five.log + b"x", before[4][1]),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_log_is_refused_and_left_as_it_is(tmp_path: Path, five: Logged, change: str) -> None:
    words, changed = CHANGES[change]
    log, head = changed(five, list(states(five)))
    put_back(tmp_path, log, head)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(PlumveilError) as raised:
        open_log(tmp_path).append("resolve", ["ward-3"], 1)
    told = str(raised.value)
    assert told.startswith(f"the access log {tmp_path / 'store.log'} is not as it was left: {words}")
    assert "what cannot be logged is not done" in told
    assert "plumveil audit" in told
    assert "\n" not in told
    assert "ward-3" not in told
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert not audited(tmp_path / "store.log").sound
    # What the line advises helps.
    (tmp_path / "store.log").unlink(missing_ok=True)
    (tmp_path / "store.log.head").unlink(missing_ok=True)
    open_log(tmp_path).append("resolve", ["ward-3"], 1)
    assert [entry.seq for entry in audited(tmp_path / "store.log").entries] == [1]
