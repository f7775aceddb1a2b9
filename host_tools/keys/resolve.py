"""Who a pseudonym is: looked up in the index beside the keystore, and believed only when derived anew.

The index of the last month is kept and renewed when nodes or days have changed; other days are searched through an
index that is made for it, a month at a time, and done away with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from host_tools import derive
from host_tools.accesslog import AccessLog
from host_tools.errors import UsageError
from host_tools.keys import index_build, when
from host_tools.keys.entries import Entry, KeySet
from host_tools.keys.index import Index, IndexStale, discard
from host_tools.keys.index_build import Progress, Rows
from host_tools.keys.keystore import INDEX, Keystore
from host_tools.keys.meta import CONTROLLER
from plumveil import wire

WINDOW_DAYS = 31
SCRATCH = ".search.index"
DAYS_MAX = 3660
PSEUDONYMS_MAX = 10_000  # of one call


@dataclass(frozen=True)
class Found:
    """A pseudonym, the node and stream it was in the epoch of that Unix day, and how many epochs that day lies ahead
    of the calendar. keys: which of the node's key sets, 0 the one in force."""

    kid: bytes
    entry: Entry
    stream: int
    day: int
    ahead: int
    keys: int


@dataclass(frozen=True)
class Window:
    """Unix days to look at, both included."""

    first_day: int
    last_day: int


def kid_of(text: str) -> bytes:
    """A pseudonym as it is typed or copied out of a topic -> its 8 bytes. UsageError when it is none."""
    try:
        kid = bytes.fromhex(text.rpartition("/")[2])
    except ValueError:
        kid = b""
    if len(kid) != wire.PSEUDONYM_BYTES:
        raise UsageError(f"a pseudonym is {2 * wire.PSEUDONYM_BYTES} hexadecimal digits, not {text!r}")
    return kid


def recent(today: int) -> Window:
    """The days that are searched unless others are named."""
    return Window(max(0, today - WINDOW_DAYS + 1), today)


def window(begins: str | None, ends: str | None, ahead: int) -> Window:
    """The days to search, dates as typed: by default the last WINDOW_DAYS, and `ahead` more behind. UsageError."""
    if not 0 <= ahead <= wire.EPOCHS_AHEAD_MAX:
        raise UsageError(f"--ahead takes 0 to {wire.EPOCHS_AHEAD_MAX}: no node runs further ahead")
    last_day = when.today() if ends is None else when.day_of(ends, "--to")
    first_day = recent(last_day).first_day if begins is None else when.day_of(begins, "--from")
    if not first_day <= last_day < first_day + DAYS_MAX:
        raise UsageError(f"--from and --to take 1 to {DAYS_MAX} days, the first one first")
    return Window(first_day, last_day + ahead)


def resolve(
    store: Keystore, kids: Iterable[bytes], window: Window, progress: Progress | None = None
) -> dict[bytes, Found]:
    """Those of `kids` that any node has in the window. In the access log before this returns.

    Raises BeyondRole, PlumveilError when it cannot be logged, UsageError when the index cannot be written. progress:
    as of index_build.build.
    """
    store.require("resolve a pseudonym", CONTROLLER)
    missing = dict.fromkeys(kids)
    if len(missing) > PSEUDONYMS_MAX:
        raise UsageError(f"at most {PSEUDONYMS_MAX} pseudonyms at once")
    found = _found(store, missing, window, progress)
    subjects = [*(kid.hex() for kid in missing), *sorted({one.entry.name for one in found.values()})]
    AccessLog.beside(store).append("resolve", subjects, len(missing))
    return found


def _found(store: Keystore, kids: dict[bytes, None], window: Window, progress: Progress | None) -> dict[bytes, Found]:
    kept = recent(when.today())
    found: dict[bytes, Found] = {}
    if window.first_day <= kept.last_day and kept.first_day <= window.last_day:
        recently = _search(store, store.beside(INDEX), kids, kept, progress)
        found = {kid: one for kid, one in recently.items() if window.first_day <= one.day <= window.last_day}
    scratch = store.beside(SCRATCH)
    try:
        for piece in _pieces(window, kept):
            missing = [kid for kid in kids if kid not in found]
            if not missing:
                break
            found |= _search(store, scratch, missing, piece, progress)
    finally:
        discard(scratch)
    return found


def _pieces(window: Window, kept: Window) -> Iterator[Window]:
    """The window without `kept`, in pieces of WINDOW_DAYS at most; later days, of nodes that run ahead, first."""
    after = (max(window.first_day, kept.last_day + 1), window.last_day)
    before = (window.first_day, min(window.last_day, kept.first_day - 1))
    for begin, end in (after, before):
        for first_day in range(begin, end + 1, WINDOW_DAYS):
            yield Window(first_day, min(first_day + WINDOW_DAYS - 1, end))


def _search(
    store: Keystore, path: Path, kids: Iterable[bytes], window: Window, progress: Progress | None
) -> dict[bytes, Found]:
    try:
        return _look_up(store, path, kids, window)
    except IndexStale:
        rows = Rows.collect(store.tenant, _chains(store.nodes()))
        index_build.build(
            path,
            rows,
            store.index_key,
            window.first_day,
            window.last_day,
            progress,
            keystore_id=store.store_id,
            generation=store.generation,
        )
    return _look_up(store, path, kids, window)


def _chains(nodes: Iterable[Entry]) -> Iterator[tuple[bytes, int, int]]:
    for entry in nodes:
        for keys in entry.key_sets:
            yield keys.k_id, keys.epoch0_day, entry.number


def _look_up(store: Keystore, path: Path, kids: Iterable[bytes], window: Window) -> dict[bytes, Found]:
    found: dict[bytes, Found] = {}
    with Index.open(
        path,
        store.index_key,
        keystore_id=store.store_id,
        generation=store.generation,
        first_day=window.first_day,
        last_day=window.last_day,
    ) as index:
        for kid in kids:
            for candidate in index.lookup(kid):
                one = _verified(store, kid, candidate.number, candidate.day, candidate.stream)
                if one is not None:
                    found[kid] = one
    return found


def _verified(store: Keystore, kid: bytes, number: int, day: int, stream: int) -> Found | None:
    """What the index says, when the node's keys say so too."""
    if number >= store.count:
        return None
    entry = store.node(number)
    for place, keys in enumerate(entry.key_sets):
        if day >= keys.epoch0_day and _pseudonym(keys, store.tenant, day, stream) == kid:
            return Found(kid, entry, stream, day, max(0, day - when.today()), place)
    return None


def _pseudonym(keys: KeySet, tenant: str, day: int, stream: int) -> bytes:
    secret = keys.k_id
    for _ in range(day - keys.epoch0_day):
        secret = derive.next_secret(secret)
    return derive.pseudonym(secret, tenant, stream)
