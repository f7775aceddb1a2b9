"""Follows an access log line by line: is each entry signed by the key in force, does it follow from the one before?

Shared by whoever writes the log and whoever audits it. Keeps what it needs of the last entries only.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from host_tools.accesslog_format import GENESIS, LINE_MAX_BYTES, Entry, Unsound, line_hash

ROTATE = "rotate"
REST_MAX_BYTES = 2 * LINE_MAX_BYTES  # what an interrupted write, or a few in a row, may leave behind
REMARKS_MAX = 100  # faults and notes kept of each; more are counted


class Remark(NamedTuple):
    """Something about one line, counted from 1."""

    line: int
    what: str


class Place(NamedTuple):
    """Where the log stood behind an entry: its number, its line's hash, the bytes up to there."""

    seq: int = 0
    hash: str = GENESIS
    log_bytes: int = 0


def pieces(log: BinaryIO, length_bytes: int) -> Iterator[bytes]:
    """The lines of a log up to a length, their ends included; one longer than any entry comes in pieces."""
    while piece := log.readline(min(LINE_MAX_BYTES, length_bytes)):
        length_bytes -= len(piece)
        yield piece


class Rest:
    """Bytes that are no entry, until an entry vouches for them or the log ends."""

    def __init__(self, line: int, why: str) -> None:
        self.line = line
        self.why = why
        self.length_bytes = 0
        self.ended = False
        self._digest = hashlib.sha256()

    def add(self, piece: bytes) -> None:
        """Takes in what follows."""
        self.length_bytes += len(piece)
        self.ended = piece.endswith(b"\n")
        self._digest.update(piece)

    def sha256(self, more: bytes = b"") -> str:
        """The hash of all of it, and of `more` behind it."""
        digest = self._digest.copy()
        digest.update(more)
        return digest.hexdigest()


class Chain:
    """The state of a log behind the lines fed so far. `faults` say where it is not what was written, `notes` what is
    worth knowing and no fault.

    trusted: raw public keys, one of which signs the first entry.
    """

    def __init__(self, trusted: Iterable[bytes]) -> None:
        self.trusted = tuple(trusted)
        self.faults: list[Remark] = []
        self.notes: list[Remark] = []
        self.more_faults = 0
        self.before = self.last = Place()
        self.signer: bytes | None = None  # of the last entry
        self.next_key: bytes | None = None  # to sign the next entry: another key than `signer` after a rotation
        self._in_force_before = self.trusted
        self.rest: Rest | None = None
        self._known = list(self.trusted)
        self._offset_bytes = self._line_ends = 0
        self._time = ""

    @property
    def line(self) -> int:
        """The number of the line to be fed next, counted from 1."""
        return self._line_ends + 1

    @property
    def known(self) -> tuple[bytes, ...]:
        """The trusted keys, and those that a rotation named."""
        return tuple(self._known)

    @property
    def in_force(self) -> tuple[bytes, ...]:
        """Keys that may sign the head of the last entry: its signer, or the one that follows him by a rotation."""
        return tuple(key for key in (self.signer, self.next_key) if key is not None) or self.trusted

    @property
    def in_force_before(self) -> tuple[bytes, ...]:
        """The same of the entry before the last."""
        return self._in_force_before

    def resume(self, place: Place, line: bytes) -> None:
        """Starts behind an entry that was checked before. Raises Unsound when `line` is not that entry."""
        entry, signer = Entry.read(line, self._known)
        if entry.seq != place.seq or line_hash(line) != place.hash:
            raise Unsound("not the entry it should be")
        self._offset_bytes = place.log_bytes - len(line)
        self._accept(entry, signer, line)

    def feed(self, piece: bytes) -> Entry | None:
        """Takes the next line, its end included; a line longer than any entry may come in pieces.

        Returns the entry when it is one and signed by a key of the log, wherever it stands.
        """
        number = self.line
        self._line_ends += piece.endswith(b"\n")
        try:
            entry, signer = Entry.read(piece, self._known)
        except Unsound as unsound:
            self.rest = self.rest or Rest(number, str(unsound))
            self.rest.add(piece)
            self._offset_bytes += len(piece)
            return None
        # Behind a line that is broken, number and hash cannot fit: that is said once.
        if not self._settle_rest(entry, number):
            self._check_place(entry, number)
        self._check_key(entry, signer, number)
        if entry.time < self._time:
            self.note(number, "its time is earlier than that of the entry before it: a clock was set back")
        self._accept(entry, signer, piece)
        return entry

    def fault(self, line: int, what: str) -> None:
        """Adds a fault."""
        if len(self.faults) < REMARKS_MAX:
            self.faults.append(Remark(line, what))
        else:
            self.more_faults += 1

    def note(self, line: int, what: str) -> None:
        """Adds a note."""
        if len(self.notes) < REMARKS_MAX:
            self.notes.append(Remark(line, what))

    def give_up_rest(self) -> None:
        """What was no entry is a fault: nothing vouches for it."""
        if self.rest is not None:
            self.fault(self.rest.line, self.rest.why)
            self.rest = None

    def _settle_rest(self, entry: Entry, number: int) -> bool:
        """True when there were bytes before this entry that it does not vouch for."""
        rest, torn = self.rest, entry.torn
        if rest is None:
            if torn is not None:
                self.fault(number, "vouches for an interrupted write that is not there")
            return False
        if torn is not None and (torn.length_bytes, torn.sha256) == (rest.length_bytes, rest.sha256()):
            self.note(rest.line, "an interrupted write, set aside by the entry after it; nothing was shown under it")
            self.rest = None
            return False
        self.give_up_rest()
        return True

    def _check_place(self, entry: Entry, number: int) -> None:
        due = self.last.seq + 1
        if entry.seq != due:
            self.fault(number, f"entry {entry.seq} stands where entry {due} should be")
        elif entry.prev != self.last.hash:
            self.fault(number, "does not follow from the entry before it")

    def _check_key(self, entry: Entry, signer: bytes, number: int) -> None:
        if (entry.action == ROTATE) != (entry.next_key is not None):
            self.fault(number, "names a next key without being a rotation, or the other way round")
        # A rotation that did not come to its end (power cut) may be taken back by the key that began it.
        taken_back = entry.action == ROTATE and signer == self.signer
        if self.next_key is not None and signer != self.next_key and not taken_back:
            self.fault(number, "signed by a key that was not in force")

    def _accept(self, entry: Entry, signer: bytes, line: bytes) -> None:
        self._offset_bytes += len(line)
        self.before, self.last = self.last, Place(entry.seq, line_hash(line), self._offset_bytes)
        self._in_force_before = self.in_force
        self.signer = self.next_key = signer
        self._time = entry.time
        if entry.next_key is not None:
            self.next_key = bytes.fromhex(entry.next_key)
            if self.next_key not in self._known:
                self._known.append(self.next_key)
