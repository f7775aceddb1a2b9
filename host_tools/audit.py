"""Verifies an access log from its first line to its head: every signature, every link, and that nothing is missing.

Reads only. Works with public keys alone. What it cannot find: a log put back, together with its head, to an earlier
state of both; for that a head is noted elsewhere and looked for (`expected`).
"""

import fcntl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from host_tools.accesslog import head_path, wait_for_lock
from host_tools.accesslog_chain import REST_MAX_BYTES, Chain, Place, Remark, pieces
from host_tools.accesslog_format import HEAD_MAX_BYTES, Entry, Head, Unsound
from host_tools.errors import UsageError

HEAD_LINE = 0  # stands for the head in a Remark


class Mark(NamedTuple):
    """A head noted elsewhere: the number of an entry and the SHA-256 of its line, in hex."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


class Signer(NamedTuple):
    """Whose a public key is: the role of the keystore that signs with it, and what to call that keystore."""

    role: str
    text: str


class Audit:
    """One pass over a log. Iterate over `entries`; then `faults`, `notes` and `mark` say how it stands.

    signers: by raw public key; one of them began the log. own: the public key of the keystore that writes the log,
    whose keys `signers` are, so no other may sign; None for whoever may not know its latest. UsageError when there is
    no log.
    """

    def __init__(
        self, log: Path, signers: Mapping[bytes, Signer], *, own: bytes | None, expected: Mark | None = None
    ) -> None:
        self._chain = Chain(signers)
        self._signers = dict(signers)
        self._own = own
        self._expected = expected
        self.signed_by: list[Signer] = []
        self.count = 0
        try:
            self._head = _head_content(head_path(log))
            self._file: BinaryIO | None = log.open("rb")
        except FileNotFoundError:
            self._file = None
            self._require_something(log, 0)
        except OSError as error:
            raise UsageError(f"cannot read the access log {log}: {error.strerror}") from None
        self._log = log

    @property
    def faults(self) -> list[Remark]:
        """Where the log is not what was written, by line; line 0 is the head and comes last. Complete once `entries`
        has come to its end."""
        return sorted(self._chain.faults, key=lambda fault: (fault.line == HEAD_LINE, fault.line))

    @property
    def more_faults(self) -> int:
        """Faults beyond those kept."""
        return self._chain.more_faults

    @property
    def notes(self) -> list[Remark]:
        """What is worth knowing and no fault."""
        return self._chain.notes

    @property
    def mark(self) -> Mark:
        """The last entry's number and hash: to be noted elsewhere."""
        return Mark(self._chain.last.seq, self._chain.last.hash)

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """(line, entry) of every line that is an entry signed by a key of the log. Once only."""
        if self._file is None:
            self._chain.fault(HEAD_LINE, "the log itself is gone")
            return
        with self._file as file:
            try:
                length_bytes = self._snapshot(file)
                for piece in pieces(file, length_bytes):
                    line, before = self._chain.line, self._chain.signer
                    entry = self._chain.feed(piece)
                    if entry is not None:
                        self.count += 1
                        self._look_at_signer(entry, line, before)
                        self._look_for(entry)
                        yield line, entry
            except OSError as error:
                raise UsageError(f"cannot read the access log {self._log}: {error.strerror}") from None
        self._finish()

    def _snapshot(self, file: BinaryIO) -> int:
        """The log's length at a moment when nobody writes, and the head that belongs to it."""
        wait_for_lock(file.fileno(), fcntl.LOCK_SH)
        self._head = _head_content(head_path(self._log))
        length_bytes = file.seek(0, 2)
        file.seek(0)
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
        self._require_something(self._log, length_bytes)
        return length_bytes

    def _require_something(self, log: Path, length_bytes: int) -> None:
        if not length_bytes and self._head is None and self._expected is None:
            raise UsageError(f"no access log {log}: nothing was logged there yet, or it was taken away with its head")

    def _look_at_signer(self, entry: Entry, line: int, before: bytes | None) -> None:
        """Each key signs for its own role; a key that a rotation named, for that of the key before."""
        key = self._chain.signer
        if key is None:
            return
        if key not in self._signers:
            what = "signed by a key that a rotation named and this keystore does not hold"
            if self._own is not None:
                self._chain.fault(line, what)
            else:
                self._chain.note(line, f"{what}: ask for a newer one")
            self._signers[key] = self._signers[before or key]
        signer = self._signers[key]
        if signer not in self.signed_by:
            self.signed_by.append(signer)
        if entry.role != signer.role:
            self._chain.fault(line, f"says {entry.role}, and is signed by a {signer.role}'s key")

    def _look_for(self, entry: Entry) -> None:
        expected = self._expected
        if expected is not None and entry.seq == expected.seq and self._chain.last.hash == expected.hash:
            self._expected = None

    def _finish(self) -> None:
        """What only the end of the log can tell."""
        chain = self._chain
        self._check_head()
        chain.give_up_rest()
        if self._own is not None and chain.signer is not None and self._own not in chain.in_force:
            chain.fault(HEAD_LINE, "the log ends before the keystore's key came into force, or after")
        if not self.count and chain.faults:
            chain.note(1, "no entry is signed by a key of this keystore: it may be another keystore's log")
        if self._expected is not None:
            chain.fault(HEAD_LINE, f"entry {self._expected.seq} with the hash expected is not in the log")

    def _check_head(self) -> None:
        chain = self._chain
        if self._head is None:
            if chain.last.seq or chain.rest:
                chain.fault(HEAD_LINE, "the head is gone")
            return
        try:
            head, signer = Head.read(self._head, chain.known)
        except Unsound as unsound:
            chain.fault(HEAD_LINE, f"the head is {unsound}")
            return
        place = Place(head.seq, head.hash, head.log_bytes)
        if place == chain.last:
            self._check_head_key(signer, chain.in_force)
            self._settle_tail()
        elif place == chain.before and chain.last.seq == head.seq + 1 and chain.rest is None:
            self._check_head_key(signer, chain.in_force_before)
            chain.note(chain.line - 1, "written, and interrupted before its head was: the next entry mends that")
        elif head.seq > chain.last.seq:
            chain.fault(HEAD_LINE, f"the log ends with entry {chain.last.seq}, its head names entry {head.seq}")
        elif head.seq < chain.last.seq:
            chain.fault(HEAD_LINE, f"the head names entry {head.seq}, the log goes on to entry {chain.last.seq}")
        else:
            what = "length of the log" if head.hash == chain.last.hash else "last line"
            chain.fault(HEAD_LINE, f"the head names another {what}")

    def _check_head_key(self, signer: bytes, in_force: Iterable[bytes]) -> None:
        """A key that was rotated out must not say where the log ends."""
        if signer not in in_force:
            self._chain.fault(HEAD_LINE, "the head is signed by a key that was not in force")

    def _settle_tail(self) -> None:
        """Behind the entry that the head names there may be a piece of a line: the next entry will set it aside."""
        rest = self._chain.rest
        if rest is not None and rest.length_bytes <= REST_MAX_BYTES:
            what = "an interrupted write; nothing was shown under it, and the next entry sets it aside"
            self._chain.note(rest.line, what)
            self._chain.rest = None


def _head_content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
