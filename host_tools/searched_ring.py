"""The ring of a large keystore: pseudonyms are searched in its index, not by trying every node in every epoch.

What is searched is in the access log before it is known. Only recent days are looked at; pseudonyms that are not
found there are counted, for they may be a node's all the same.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from host_tools.envelope import parse
from host_tools.keyring import STREAM_KEYS_MAX, NodeKeys, StreamKeys
from host_tools.keys import resolve, show, when
from host_tools.keys.keystore import Keystore
from host_tools.keys.resolve import Found
from host_tools.rules import Refused
from host_tools.sources import Source
from plumveil import wire

AHEAD_MESSAGES = 400  # messages whose pseudonyms are searched at once
FOUND_MAX = 10_000  # pseudonyms kept as found; all are dropped when there are more
NODES_KEPT_MAX = 1024  # nodes whose chains are kept; all are dropped when there are more
UNPLACED_MAX = 100_000  # pseudonyms remembered as not found


class SearchedRing:
    """Finds pseudonyms that were searched: hand it the messages first, by `ahead_of`. The keystore stays open.

    now_s: Unix s of the last day that is looked at; None: today.
    """

    def __init__(self, store: Keystore, now_s: int | None = None) -> None:
        self._store = store
        self._window = resolve.recent(when.today() if now_s is None else now_s // wire.EPOCH_S)
        self._found: dict[bytes, Found] = {}
        self._nodes: dict[tuple[int, int], NodeKeys] = {}
        self._keys: dict[bytes, StreamKeys] = {}
        self._unplaced: dict[bytes, None] = {}

    @property
    def days(self) -> str:
        """Which days are looked at."""
        return f"{when.date_text(self._window.first_day)} to {when.date_text(self._window.last_day)}"

    @property
    def unplaced(self) -> int:
        """Pseudonyms that were not found in those days."""
        return len(self._unplaced)

    def ahead_of(self, sources: Iterable[Source]) -> Iterator[Source]:
        """The same, their pseudonyms searched. PlumveilError when that cannot be logged."""
        waiting = iter(sources)
        while piece := list(islice(waiting, AHEAD_MESSAGES)):
            self._search({kid for kid in map(_kid, piece) if kid is not None})
            yield from piece

    def find(self, kid: bytes) -> StreamKeys | None:
        """The stream whose pseudonym `kid` is, None when it was not found."""
        keys = self._keys.get(kid)
        found = self._found.get(kid)
        if keys is None and found is not None:
            if len(self._keys) >= STREAM_KEYS_MAX:
                self._keys.clear()
            node = self._node(found)
            self._keys[kid] = keys = node.stream_keys(found.day - node.epoch0_day, found.stream)
        return keys

    def _search(self, kids: set[bytes]) -> None:
        if len(self._found) > FOUND_MAX:
            self._found.clear()
        new = sorted(kids - self._found.keys() - self._unplaced.keys())
        if not new:
            return
        with show.progress("indexing") as progress:
            found = resolve.resolve(self._store, new, self._window, progress)
        self._found |= found
        for kid in new:
            if kid not in found and len(self._unplaced) < UNPLACED_MAX:
                self._unplaced[kid] = None

    def _node(self, found: Found) -> NodeKeys:
        place = (found.entry.number, found.keys)
        if place not in self._nodes:
            if len(self._nodes) >= NODES_KEPT_MAX:
                self._nodes.clear()
            record = found.entry.records()[found.keys].model_copy(update={"name": found.entry.name})
            self._nodes[place] = NodeKeys(record)
        return self._nodes[place]


def _kid(source: Source) -> bytes | None:
    try:
        return parse(source.data).kid
    except Refused:
        return None
