"""The tamper-evident log of who read personal data: an entry is on disk before what it tells of is shown.

Appends only, under a lock; a line is hash-chained and signed, a head file says how far the log has come. Must never
repair what it finds changed: it refuses, and leaves the evidence as it is.
"""

import contextlib
import errno
import fcntl
import getpass
import io
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools import accesslog_format as form
from host_tools.accesslog_chain import REST_MAX_BYTES, ROTATE, Chain, Place, pieces
from host_tools.accesslog_format import Entry, Head, Torn, Unsound
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys.files import write_private
from host_tools.render import printable

if TYPE_CHECKING:
    from host_tools.keys.keystore import Keystore

LOCK_WAIT_S = 30
LOCK_RETRY_S = 0.02
TORN_END = b" torn\n"  # ends a torn line; an end of line alone would make an entry of one that lacks just that
REFUSED = "what cannot be logged is not done"


class _Changed(Exception):
    """The log is not as it was left; the text says how."""


def log_path(keystore: Path) -> Path:
    """Where the log of a keystore file stands."""
    return Path(f"{keystore}.log")


def head_path(log: Path) -> Path:
    """Where the head of a log stands."""
    return Path(f"{log}.head")


class AccessLog:
    """Writes one keystore's log.

    trusted: raw public keys that ever signed it; subject_key: 32 secret bytes under which subjects are hashed.
    """

    def __init__(
        self, path: Path, role: str, signing_key: Ed25519PrivateKey, trusted: Iterable[bytes], subject_key: bytes
    ) -> None:
        self.path = path
        self.head = head_path(path)
        self._role = role
        self._key = signing_key
        self._public = form.public_bytes(signing_key)
        self._trusted = tuple(dict.fromkeys((self._public, *trusted)))
        self._subject_key = subject_key

    @classmethod
    def beside(cls, keystore: "Keystore") -> "AccessLog":
        """The log of an open keystore. PlumveilError when the keystore has no key to sign it."""
        if keystore.signing_key is None:
            raise PlumveilError(f"{keystore.path} has no signing key, so what is read with it cannot be logged")
        keys = keystore.log_public_keys
        return cls(log_path(keystore.path), keystore.role, keystore.signing_key, keys, keystore.subject_keys[0])

    def append(self, action: str, subjects: Sequence[str] = (), count: int = 0, detail: str = "") -> None:
        """Adds an entry; on disk when this returns. subjects: node names or pseudonyms, written as keyed hashes only;
        more than SUBJECTS_MAX take several entries. detail: words, integers, dates (accesslog_format.check_detail).

        PlumveilError when it cannot be written or the log was changed: then nothing may be shown.
        """
        if action not in form.ACTIONS or action == ROTATE:
            raise ValueError("no action of the access log")
        form.check_detail(detail)
        hashes = [form.subject(self._subject_key, subject) for subject in subjects]
        self._write(action=action, subjects=tuple(hashes[: form.SUBJECTS_MAX]), count=count, detail=detail)
        for at in range(form.SUBJECTS_MAX, len(hashes), form.SUBJECTS_MAX):
            piece = tuple(hashes[at : at + form.SUBJECTS_MAX])
            self._write(action=action, subjects=piece, count=0, detail="continued")

    def rotate(self, next_key: bytes) -> None:
        """Adds the entry, signed by the old key, that names the raw public key of all entries to come. To be called
        before the new key takes the old one's place in the keystore: a rotation cut short is taken back by the old
        key with its next entry, one that was never announced cannot be mended.
        """
        self._write(action=ROTATE, next_key=next_key.hex(), detail="new key")

    def _write(self, *, action: str, detail: str, **more: Any) -> None:
        try:
            with self._locked() as file:
                chain = self._caught_up(file)
                if chain.next_key not in (None, self._public) and action != ROTATE:
                    self._put(file, chain, action=ROTATE, next_key=self._public.hex(), detail="taken back")
                self._put(file, chain, action=action, detail=detail, **more)
        except UsageError as error:
            raise PlumveilError(f"{error}; {REFUSED}") from None
        except OSError as error:
            why = error.strerror or "input/output error"
            raise PlumveilError(f"cannot write the access log {self.path}: {why}; {REFUSED}") from None
        except _Changed as changed:
            raise PlumveilError(
                f"the access log {self.path} is not as it was left: {changed}; {REFUSED}. See `plumveil audit`; to go"
                f" on, move it and {self.head.name} elsewhere, as evidence: a new log begins"
            ) from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The log's file, locked, and removed by nobody meanwhile. OSError, _Changed."""
        while True:
            # A log that is gone while its head is there must not look like an empty one.
            new = 0 if self.head.exists() and self._read_head()[0].seq else os.O_CREAT
            try:
                file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | new, 0o600)
            except FileNotFoundError:
                if new:
                    raise
                raise _Changed("it is gone, and its head is there") from None
            try:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise _Changed("it is not a file")
                wait_for_lock(file, fcntl.LOCK_EX)
                if _same(file, self.path):
                    yield file
                    return
            finally:
                os.close(file)

    def _read_head(self) -> tuple[Head, bytes]:
        with self.head.open("rb") as file:
            content = file.read(form.HEAD_MAX_BYTES + 1)
        try:
            return Head.read(content, self._trusted)
        except Unsound as unsound:
            raise _Changed(f"its head is {unsound}") from None

    def _caught_up(self, file: int) -> Chain:
        """The chain behind the last entry, after what a power cut may have left undone is done. _Changed when what
        stands there is not what this module writes."""
        size_bytes = os.fstat(file).st_size
        chain = Chain(self._trusted)
        if not self.head.exists():
            if size_bytes:
                raise _Changed("its head is gone")
            self._write_head(chain.last)
            return chain
        head, head_signer = self._read_head()
        place = Place(head.seq, head.hash, head.log_bytes)
        if size_bytes < place.log_bytes:
            raise _Changed("it is shorter than its head says")
        if size_bytes - place.log_bytes > REST_MAX_BYTES:
            raise _Changed("it is longer than its head says")
        if place.seq:
            try:
                chain.resume(place, _last_line(file, place.log_bytes))
            except Unsound as unsound:
                raise _Changed(f"its last entry is {unsound}") from None
            if head_signer not in chain.in_force:
                raise _Changed("its head is signed by a key that was not in force")
        behind = os.pread(file, size_bytes - place.log_bytes, place.log_bytes)
        for piece in pieces(io.BytesIO(behind), len(behind)):
            chain.feed(piece)
        # A power cut leaves one entry that the head does not know, or a piece of one; never more.
        if chain.faults or chain.last.seq > place.seq + 1 or (chain.last.seq > place.seq and chain.rest):
            raise _Changed("it goes on behind its head")
        if chain.signer is not None and self._public not in chain.in_force:
            raise _Changed("the key in force is not this keystore's")
        if chain.last.seq > place.seq:
            self._write_head(chain.last)
        return chain

    def _put(self, file: int, chain: Chain, *, action: str, detail: str, **more: Any) -> None:
        """Writes one entry behind the chain, then the head."""
        rest, mend, torn = chain.rest, b"", None
        if rest is not None:
            mend = b"" if rest.ended else TORN_END
            torn = Torn(length_bytes=rest.length_bytes + len(mend), sha256=rest.sha256(mend))
        place = chain.last
        fields: dict[str, Any] = {
            "subjects": (),
            "count": 0,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        fields |= {"actor": _actor(), "uid": os.getuid(), "role": self._role, "action": action, "detail": detail}
        entry = Entry(seq=place.seq + 1, prev=place.hash, torn=torn, **(fields | more)).sealed(self._key)
        start_bytes = os.fstat(file).st_size
        try:
            _write_all(file, mend + entry.line())
        except BaseException:
            # Our own piece of a line, not a byte before it. Where only appending is allowed it stays, for the next
            # entry to set aside.
            with contextlib.suppress(OSError):
                os.ftruncate(file, start_bytes)
            raise
        os.fsync(file)
        if mend:
            chain.feed(mend)
        chain.feed(entry.line())
        self._write_head(chain.last)

    def _write_head(self, place: Place) -> None:
        head = Head.of(place.seq, place.hash, place.log_bytes, self._key)
        write_private(self.head, head.line(), "access log's head")


def _write_all(file: int, data: bytes) -> None:
    at = 0
    while at < len(data):
        at += os.write(file, data[at:])


def _last_line(file: int, end_bytes: int) -> bytes:
    start_bytes = max(0, end_bytes - form.LINE_MAX_BYTES)
    tail = os.pread(file, end_bytes - start_bytes, start_bytes)
    return tail[tail.rfind(b"\n", 0, -1) + 1 :]


def wait_for_lock(file: int, kind: int) -> None:
    """Locks an open log, shared or exclusive. OSError when somebody else holds it for too long."""
    until_s = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until_s:
                raise TimeoutError(errno.ETIMEDOUT, f"another process has held it for {LOCK_WAIT_S} s") from None
            time.sleep(LOCK_RETRY_S)
        else:
            return


def _same(file: int, path: Path) -> bool:
    """False when another file has the name by now."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(file), there)


def _actor() -> str:
    """The user's name as the system gives it; the environment may say another, hence the uid beside it."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = ""
    return printable(name)[: form.ACTOR_MAX] or "unknown"
