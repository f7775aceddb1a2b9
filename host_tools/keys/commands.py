"""The `keys` commands: open the keystore, log what is done before it is done, do it, print. Returns exit codes.

Prints names and public facts to whoever opened the store, and never a key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from host_tools.accesslog import AccessLog
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import enrol as enrolling
from host_tools.keys import files, groups, importing, keystore, passphrase, roles, rotate, when
from host_tools.keys import retire as retiring
from host_tools.keys.delivery import IntoFile, OverLine
from host_tools.keys.keystore import OUTBOX, Keystore
from host_tools.keys.meta import CONTROLLER, PROCESSOR, TECHNICIAN
from host_tools.node_link import NodeLink
from plumveil import wire

VARIABLE = "PLUMVEIL_KEYSTORE"
DEFAULT = Path("plumveil.keystore")
DONE, FAILED = 0, 1


@dataclass(frozen=True)
class Where:
    """Which keystore, and the file its passphrase stands in."""

    keystore: Path | None
    passphrase_file: Path | None


def locate(given: Path | None) -> Path:
    """The keystore given, else the environment's, else the working folder's."""
    named = os.environ.get(VARIABLE)
    return given or (Path(named) if named else DEFAULT)


def opened(where: Where, *, write: bool = False) -> Keystore:
    """Opens the keystore. Asks for the passphrase only when there is a keystore to open."""
    path = locate(where.keystore)
    if not path.exists():
        raise UsageError(
            f"there is no keystore {path}: give --keystore, set ${VARIABLE}, or run `plumveil keys init`"
        )
    if not keystore.is_keystore(path):
        raise PlumveilError(f"{path} is no keystore")
    secret = passphrase.get(where.passphrase_file, f"Passphrase of {path.name}")
    return keystore.open_store(path, secret, write=write)


def init(file: Path | None, tenant: str, passphrase_file: Path | None) -> int:
    """Makes a tenant's keystore."""
    path = locate(file)
    if path.exists():
        raise UsageError(f"{path} is there already; name another file")
    enrolling.check_tenant(tenant)
    secret = passphrase.get_new(passphrase_file, f"New passphrase for {path.name}")
    with keystore.create(path, secret, tenant) as store:
        AccessLog.beside(store).append("create", (), 0, "new tenant")
    print(
        f"{path} is made, for {tenant}. Without its passphrase nothing opens that the nodes will seal: note it down."
    )
    return DONE


@dataclass(frozen=True)
class Target:
    """Where a node's keys go: a serial port, or a file. Exactly one."""

    port: str | None
    out: Path | None

    def __post_init__(self) -> None:
        if (self.port is None) == (self.out is None):
            raise UsageError("give --port, to write the keys to a board, or --out, to write them to a file")

    @contextmanager
    def open(self) -> Iterator[tuple[OverLine | IntoFile, bytes | None]]:
        """(way of delivery, hardware id of the board on the line)."""
        with _line(self.port) as link:
            if link is not None:
                yield OverLine(link), link.unique_id()
            elif self.out is not None:
                yield IntoFile(self.out), None


def enrol(where: Where, name: str, board: str, profile: str, target: Target) -> int:
    """Gives a new node its keys."""
    with opened(where, write=True) as store, target.open() as (deliver, unique_id):
        enrolling.enrol(store, name, board, profile, unique_id, deliver)
        _told(store, f"{name} is enrolled", deliver.note)
    return DONE


def rekey(where: Where, name: str, target: Target, *, new_board: bool) -> int:
    """Gives a node other keys."""
    with opened(where, write=True) as store, target.open() as (deliver, unique_id):
        enrolling.rekey(store, name, unique_id, deliver, new_board=new_board)
        _told(store, f"{name} has new keys; what it sealed with the old ones still opens", deliver.note)
    return DONE


def _told(store: Keystore, done: str, note: str) -> None:
    print(f"{done}.")
    if note:
        print(f"Note: {note}.")
    if store.role == TECHNICIAN:
        print(f"Its keys wait in {store.beside(OUTBOX)}: the controller runs `plumveil keys import` on that file.")


def list_nodes(where: Where, *, as_json: bool) -> int:
    """Prints what is in the store."""
    from host_tools.keys import show

    with opened(where) as store:
        if store.role in (CONTROLLER, TECHNICIAN):
            AccessLog.beside(store).append("list", (), store.count)
        show.listing(store, as_json=as_json)
    return DONE


@dataclass(frozen=True)
class Export:
    """What is asked for: dates as typed."""

    role: str
    streams: str | None
    begins: str | None
    ends: str | None
    expires: str | None
    out: Path
    passphrase_file: Path | None

    def share(self) -> roles.Share | None:
        """A processor's part. UsageError when it is not said in full, or another role asks for one."""
        given = [text for text in (self.streams, self.begins, self.ends) if text is not None]
        if self.role != PROCESSOR and given:
            raise UsageError("--streams, --from and --to are for a processor: other roles hold no keys of days")
        if self.role != PROCESSOR:
            return None
        if self.streams is None or self.begins is None or self.ends is None:
            raise UsageError("a processor is given named streams and days: say --streams, --from and --to")
        first_day, last_day = when.day_of(self.begins, "--from"), when.day_of(self.ends, "--to")
        if first_day > last_day:
            raise UsageError("--from is later than --to")
        return roles.Share(roles.streams_of(self.streams), first_day, last_day)


def export(where: Where, wanted: Export) -> int:
    """Hands out a store for a role."""
    share = wanted.share()
    last_day = None if wanted.expires is None else when.day_of(wanted.expires, "--expires")
    expires_s = roles.expiry_s(last_day, when.now_s())
    until = when.date_text(expires_s // wire.EPOCH_S - 1)
    with opened(where, write=True) as store:
        roles.check_source(store, wanted.role)
        roles.check_out(wanted.out)
        secret = passphrase.get_new(
            wanted.passphrase_file, f"New passphrase for {wanted.out.name}", passphrase.EXPORT_VARIABLE
        )
        roles.export(store, wanted.role, wanted.out, secret, expires_s, share)
    print(f"{wanted.out} is made for the {wanted.role}, to be used until the end of {until}.")
    return DONE


def import_nodes(where: Where, path: Path) -> int:
    """Takes in what technicians enrolled, or a plain key file."""
    with opened(where, write=True) as store:
        done = importing.take_in(store, path)
    print(f"{done.enrolled} nodes enrolled, {done.rekeyed} rekeyed, {done.known} known already")
    for line in done.refused:
        print(f"refused: {line}", file=sys.stderr)
    return FAILED if done.refused else DONE


def retire(where: Where, name: str, port: str | None, receipt: Path | None, *, without_node: bool) -> int:
    """Destroys a node's keys, after two questions."""
    if (port is None) != without_node:
        raise UsageError(
            "give --port, to destroy the keys on the node too, or --without-node where it is out of reach"
        )
    if receipt is not None:
        roles.check_out(receipt)
    with opened(where, write=True) as store, _line(port) as link:
        retiring.check(store, name)
        _confirm(name)
        made = retiring.text(retiring.retire(store, name, link))
    print(made, end="")
    if receipt is not None:
        files.write_private(receipt, made.encode("utf-8"), "receipt", fresh=True)
    return DONE


@contextmanager
def _line(port: str | None) -> Iterator[NodeLink | None]:
    """An open line to a node; None where there is no port."""
    if port is None:
        yield None
        return
    with NodeLink(port) as link:
        yield link


def _confirm(name: str) -> None:
    print("What this node sealed, stored copies too, cannot be opened any more by this keystore.", file=sys.stderr)
    for question, answer in ((f"Type the node's name ({name}): ", name), ('Type "destroy": ', "destroy")):
        print(question, end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().rstrip("\r\n") != answer:
            raise PlumveilError("that was not it; nothing was destroyed")


def rotate_keys(where: Where, new_passphrase_file: Path | None, *, end_technicians: bool) -> int:
    """Renews passphrase, master and the tenant's own keys."""
    with opened(where, write=True) as store:
        rotate.check(store, end_technicians=end_technicians)
        secret = passphrase.get_new(new_passphrase_file, "New passphrase", passphrase.NEW_VARIABLE)
        overwritten = rotate.rotate(store, secret, end_technicians=end_technicians)
    print("Rotated. Backups open with the old passphrase: destroy those you do not need. Export the roles anew.")
    if not overwritten:
        print("Note: the old file could not be overwritten; the disk may hold it for a while, like a backup.")
    return DONE


def check_receipt(where: Where, path: Path) -> int:
    """Verifies a receipt."""
    try:
        with path.open("rb") as file:
            data = file.read(retiring.RECEIPT_MAX_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    with opened(where) as store:
        receipt = retiring.verify(data, store)
    print(f"sound: {receipt['node']} of {receipt['tenant']}, retired {receipt['time']}")
    return DONE


def resolve(
    where: Where, texts: list[str], begins: str | None, ends: str | None, ahead: int, *, as_json: bool
) -> int:
    """Prints who pseudonyms are."""
    from host_tools.keys import resolve as resolving
    from host_tools.keys import show

    kids = list(dict.fromkeys(resolving.kid_of(text) for text in texts))
    window = resolving.window(begins, ends, ahead)
    with opened(where) as store, show.progress("indexing") as progress:
        found = resolving.resolve(store, kids, window, progress)
    unknown = [kid.hex() for kid in kids if kid not in found]
    show.resolved([found[kid] for kid in kids if kid in found], unknown, as_json=as_json)
    sys.stdout.flush()
    for kid in unknown:
        days = f"from {when.date_text(window.first_day)} to {when.date_text(window.last_day)}"
        hint = "" if ahead else "; --from looks further back, --ahead at nodes whose clock ran ahead"
        print(f"plumveil: {kid} is no node's pseudonym {days}{hint}", file=sys.stderr)
    return FAILED if unknown else DONE


def set_group(where: Where, group: str, names: list[str]) -> int:
    """Makes a group consist of some nodes."""
    with opened(where, write=True) as store:
        groups.put(store, group, names)
    print(f"{group}: {', '.join(names)}" if names else f"There is no group {group} any more.")
    return DONE


def list_groups(where: Where) -> int:
    """Prints the groups."""
    with opened(where) as store:
        found = groups.listing(store)
        AccessLog.beside(store).append("list", (), sum(len(names) for _, names in found))
    for group, names in found:
        print(f"{group}: {', '.join(names)}")
    return DONE
