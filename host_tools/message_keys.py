"""The keys that `decode` and `validate` open messages with: of a keystore, or of a simulation's plain keys.json.

With a keystore, what messages tell of persons is written to its access log before anything of it goes on: a message
leaves `Gate.admit` after its subject is on record, or not at all. keys.json is for simulations and is not logged.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from host_tools import registry
from host_tools.accesslog import AccessLog
from host_tools.errors import UsageError
from host_tools.keyring import KeyRing, Ring, TableRing
from host_tools.keys import keystore, passphrase
from host_tools.keys.commands import VARIABLE as KEYSTORE_VARIABLE
from host_tools.keys.faults import BeyondRole
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import AUDITOR, CONTROLLER, PROCESSOR
from host_tools.registry import Node
from host_tools.searched_ring import SearchedRing
from host_tools.sources import Source
from host_tools.validate import Message
from plumveil import wire

PIECE_MESSAGES = 400  # messages held back until their subjects are on record
SUBJECTS_MAX = 100_000  # subjects remembered as on record; beyond that they are logged once more

NODES_TRIED_MAX = 1000  # a larger keystore is searched by its index: to try a node takes 30 ms a year

Checked = tuple[Source, Message]


class Gate:
    """Where messages wait until the access log names whom they are about.

    detail: what the entries say of the command; names: whether nodes' names are shown, so that pseudonyms are
    resolved.
    """

    def __init__(self, log: AccessLog, detail: str, *, names: bool) -> None:
        self._log = log
        self._detail = detail
        self._names = names
        self._located: set[str] = set()
        self._named: set[str] = set()
        self._unlogged = 0

    def admit(self, checked: Iterable[Checked]) -> Iterator[Checked]:
        """The same, some later: an entry is on disk before the first message about its subjects comes out. A last one
        counts the further positions of those subjects. PlumveilError when it cannot be logged.
        """
        waiting: list[Checked] = []
        for one in checked:
            waiting.append(one)
            if len(waiting) >= PIECE_MESSAGES:
                self._record(waiting)
                yield from waiting
                waiting = []
        self._record(waiting)
        yield from waiting
        if self._unlogged:
            self._log.append("open_location", (), self._unlogged, f"further {self._detail}")

    def _record(self, waiting: list[Checked]) -> None:
        opened = [message for _, message in waiting if message.keys is not None]
        positions = [subject(message) for message in opened if _is_position(message)]
        new = sorted(set(positions) - self._located)
        if new:
            self._log.append("open_location", new, len(positions), self._detail)
            _remember(self._located, new)
        else:
            self._unlogged += len(positions)
        if self._names:
            named = {message.keys.rules.name or "" for message in opened if message.keys is not None} - {""}
            others = sorted(named - self._located - self._named)
            if others:
                self._log.append("resolve", others, len(others), self._detail)
                _remember(self._named, others)


def _is_position(message: Message) -> bool:
    return message.content is not None and message.keys is not None and message.keys.stream == wire.LOCATION


def subject(message: Message) -> str:
    """Whom a message is about: the node's name, its pseudonym where whoever reads may not know that, or ""."""
    if message.keys is None:
        return ""
    return message.keys.rules.name or message.keys.kid.hex()


def _remember(known: set[str], subjects: list[str]) -> None:
    if len(known) > SUBJECTS_MAX:
        known.clear()
    known.update(subjects)


class MessageKeys(NamedTuple):
    """A ring to open messages with, and the log that has to know of it first; None for a plain key file.

    searched: the ring, where it has to see the messages beforehand.
    """

    ring: Ring
    log: AccessLog | None = None
    searched: SearchedRing | None = None


def find(messages: str, given: Path | None) -> Path:
    """The file of keys for messages at a path: as registry.find, and then the keystore of the environment."""
    try:
        return registry.find(messages, given)
    except UsageError:
        named = os.environ.get(KEYSTORE_VARIABLE)
        if not named:
            raise
        return Path(named)


def load(path: Path, now_s: int | None, passphrase_file: Path | None) -> MessageKeys:
    """The keys in a file. UsageError when it is none; of a keystore also WrongPassphrase, Damaged, Expired, and
    BeyondRole when its role opens no messages. now_s: see KeyRing."""
    if not _is_keystore(path):
        return MessageKeys(KeyRing(registry.load(path), now_s))
    store = keystore.open_store(path, passphrase.get(passphrase_file, f"Passphrase of {path.name}"))
    try:
        keys = of_store(store, now_s)
    except BaseException:
        store.close()
        raise
    if keys.searched is None:
        store.close()
    return keys


def of_store(store: Keystore, now_s: int | None) -> MessageKeys:
    """The keys in an open keystore, which has to stay open where the ring is `searched`. BeyondRole."""
    if store.role == CONTROLLER and store.count > NODES_TRIED_MAX:
        ring = SearchedRing(store, now_s)
        return MessageKeys(ring, AccessLog.beside(store), ring)
    return MessageKeys(_ring(store, now_s), AccessLog.beside(store))


def _is_keystore(path: Path) -> bool:
    try:
        # From a pipe of the shell's the look inside would take away what the reader needs.
        return path.is_file() and keystore.is_keystore(path)
    except (OSError, UsageError):
        # The reader of plain key files says what is wrong.
        return False


def _ring(store: Keystore, now_s: int | None) -> Ring:
    if store.role == PROCESSOR:
        return TableRing(store.table())
    if store.role == CONTROLLER:
        return KeyRing(_records(store), now_s)
    article = "an" if store.role == AUDITOR else "a"
    raise BeyondRole(f"{store.path} is {article} {store.role}'s keystore and holds no keys that open messages")


def _records(store: Keystore) -> Iterator[Node]:
    """Nodes under all keys they ever had, each time under their own name."""
    for entry in store.nodes():
        for record in entry.records():
            yield record.model_copy(update={"name": entry.name})
