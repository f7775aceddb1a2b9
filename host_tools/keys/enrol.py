"""Gives nodes their keys: drawn here, independently of each other and of anything the board says of itself, written
to the node, and kept by the controller alone.

On a controller's keystore they are kept in it; on a technician's they go, sealed, into the outbox, and of them all
only k_config is kept, which authenticates configurations and opens nothing. They are on disk before the node has
them: a node whose keys nobody knows could not be read by anybody.
"""

from __future__ import annotations

import dataclasses
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import cbor2

from host_tools import boards, derive, provision
from host_tools.accesslog import AccessLog
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import entries, outbox, roles, when
from host_tools.keys.entries import ACTIVE, Entry, KeySet
from host_tools.keys.keystore import OUTBOX, Keystore
from host_tools.keys.meta import CONTROLLER, TECHNICIAN
from host_tools.keys.outbox import Delivery, Item
from host_tools.node_link import NodeLost
from host_tools.policy.compiling import policy_record
from host_tools.policy.profile import load_profile
from plumveil import wire

HASH_BYTES = 16


@dataclass(frozen=True)
class Handover:
    """What the node is to get: its key slot, and for its configuration the keys that may authenticate it now, and the
    one that shall."""

    slot_bytes: bytes = field(repr=False)
    old_k_config: tuple[bytes, ...] = field(repr=False)
    k_config: bytes = field(repr=False)


Deliver = Callable[[Handover], None]


def board_hash(store: Keystore, unique_id: bytes) -> bytes:
    """What is kept of a board's hardware id: enough to know the board again, for who has the tenant's key.

    Who has that key can also go through the ids there are (48 bits, half of them the maker's): it is a recognition
    mark, not a secret.
    """
    if store.meta.board_key is None:
        raise UsageError(f"{store.path} knows no boards")
    return hmac.digest(store.meta.board_key, derive.label("board", store.tenant) + unique_id, "sha256")[:HASH_BYTES]


def check_tenant(tenant: str) -> None:
    """UsageError when nodes cannot be told that they are this tenant's."""
    entries.check_name(tenant, "tenant's name")
    keys = _draw()
    # Tried with keys that are thrown away: only the whole slot shows whether a name fits.
    _handover(Entry(0, "x", tenant, ACTIVE, "", None, keys.k_config, keys), ())


def enrol(store: Keystore, name: str, board: str, profile: str, unique_id: bytes | None, deliver: Deliver) -> Entry:
    """A new node. unique_id: of the board that `deliver` writes to, None when that is not known.

    Raises PlumveilError when the name or the board is in use, or what `deliver` raises.
    """
    store.require("enrol a node", CONTROLLER, TECHNICIAN)
    roles.require_lasting(store, "enrol a node")
    entries.check_name(name)
    boards.load(board)
    policy = policy_record(load_profile(profile))
    if store.find(name) is not None:
        raise PlumveilError(f"there is a node named {name!r} already; a name is never used again")
    mark = None if unique_id is None else board_hash(store, unique_id)
    other = None if mark is None else store.find_board(mark)
    if other is not None:
        raise PlumveilError("this board is another node of the tenant: rekey or retire that one")
    keys = _draw()
    entry = Entry(store.count, name, store.tenant, ACTIVE, board, mark, keys.k_config, keys, policies=(policy,))
    item = _item(store, outbox.ENROL, entry)
    handover = _handover(entry, ())
    added = store.add(_kept(store, entry))
    _hand_over(store, added, None, item, deliver, handover)
    return added


def rekey(store: Keystore, name: str, unique_id: bytes | None, deliver: Deliver, *, new_board: bool = False) -> Entry:
    """Other keys for a node, from today on. Earlier ones are kept: what was sealed with them opens as before.

    new_board: the node goes on on another board; the controller alone can say so, an import takes no other board's
    keys. Errors as of `enrol`.
    """
    store.require("rekey a node", CONTROLLER, TECHNICIAN)
    roles.require_lasting(store, "rekey a node")
    if new_board:
        store.require("move a node to another board", CONTROLLER)
    entry = store.get(name)
    if entry.state != ACTIVE:
        raise PlumveilError(f"{name!r} is retired, and stays so; enrol the board under another name")
    mark = _rekeyed_mark(store, entry, unique_id, new_board=new_board)
    keys = _draw()
    changed = with_new_keys(entry, keys, mark)
    item = _item(store, outbox.REKEY, changed)
    old = tuple(dict.fromkeys(key for key in (entry.k_config, *(k.k_config for k in entry.history)) if key))
    handover = _handover(changed, old)
    kept = _kept(store, changed)
    store.put(kept)
    _hand_over(store, kept, entry, item, deliver, handover)
    return kept


def with_new_keys(entry: Entry, keys: KeySet, mark: bytes | None) -> Entry:
    """The entry after a rekey: its keys so far go into the history, with the day that `keys` begin as their last."""
    earlier = () if entry.keys is None else (_until(entry.keys, keys),)
    return dataclasses.replace(
        entry,
        board_hash=mark,
        k_config=keys.k_config,
        keys=keys,
        history=(*entry.history, *earlier),
        # What they hang on is no more.
        delegations=(),
    )


def with_earlier_keys(entry: Entry, keys: KeySet) -> Entry:
    """The entry, when keys come to be known that others have taken the place of since: they go into the history, as
    if they had been known in time."""
    at = sum(earlier.epoch0_day <= keys.epoch0_day for earlier in entry.history)
    before, after = list(entry.history[:at]), entry.history[at:]
    following = after[0] if after else entry.keys
    if following is None:
        raise ValueError("an entry without keys")
    if before:
        before[-1] = _until(before[-1], keys)
    return dataclasses.replace(entry, history=(*before, _until(keys, following), *after))


def _until(keys: KeySet, following: KeySet) -> KeySet:
    # A clock that was set back must not make keys end before they begin.
    return dataclasses.replace(keys, last_day=max(keys.epoch0_day, following.epoch0_day))


def renewed_config(config: bytes, handover: Handover) -> bytes | None:
    """A node's configuration file under its new key; None when none of the old ones authenticates it."""
    try:
        body, mac = cbor2.loads(config)
        known = any(hmac.compare_digest(hmac.digest(key, body, "sha256"), mac) for key in handover.old_k_config)
    except (cbor2.CBORError, ValueError, TypeError):
        return None
    return cbor2.dumps([body, hmac.digest(handover.k_config, body, "sha256")]) if known else None


def _draw() -> KeySet:
    k_id, k_chain, k_config, k_consent = (secrets.token_bytes(wire.KEY_BYTES) for _ in range(4))
    return KeySet(k_id, k_chain, k_config, k_consent, when.today())


def _handover(entry: Entry, old_k_config: tuple[bytes, ...]) -> Handover:
    if entry.node is None or entry.k_config is None:
        raise ValueError("an entry without keys")
    return Handover(provision.first_slot(entry.node), old_k_config, entry.k_config)


def _rekeyed_mark(store: Keystore, entry: Entry, unique_id: bytes | None, *, new_board: bool) -> bytes | None:
    if unique_id is None:
        return None if new_board else entry.board_hash
    mark = board_hash(store, unique_id)
    if entry.board_hash not in (None, mark) and not new_board:
        raise PlumveilError(f"the board on the line is not {entry.name!r}; --new-board moves the node to it")
    other = store.find_board(mark)
    if other is not None and other.number != entry.number:
        raise PlumveilError("the board on the line is another node of the tenant: retire that one first")
    return mark


def _kept(store: Keystore, entry: Entry) -> Entry:
    """What the store's role keeps of an entry."""
    if store.role == CONTROLLER:
        return entry
    return dataclasses.replace(entry, keys=None, history=(), policies=())


def _item(store: Keystore, kind: str, entry: Entry) -> Item | None:
    """A technician's message to the controller."""
    if store.role == CONTROLLER:
        return None
    signing_key, public = store.signing_key, store.meta.enrol_public
    if signing_key is None or public is None or entry.keys is None:
        raise UsageError(f"{store.path} has no controller to enrol for")
    delivery = Delivery(kind, entry.name, entry.board, entry.board_hash, entry.keys, entry.policies, when.now_s())
    return outbox.seal(delivery, store.tenant, public, signing_key)


def _hand_over(
    store: Keystore, entry: Entry, before: Entry | None, item: Item | None, deliver: Deliver, handover: Handover
) -> None:
    """Saves, then delivers. A node that says no leaves all as it was; of one that says nothing the keys are kept."""
    # Last of what may refuse, first of what is done: from here on there is a node with these keys.
    AccessLog.beside(store).append(outbox.ENROL if before is None else outbox.REKEY, [entry.name], 1)
    path = store.beside(OUTBOX)
    waiting = [] if item is None else outbox.existing(path)
    if item is not None:
        outbox.store(path, [*waiting, item])
    store.save()
    try:
        deliver(handover)
    except NodeLost as lost:
        raise NodeLost(
            f"{lost}. Its keys stand in {store.path}: `plumveil keys rekey {entry.name}` gives it new ones"
        ) from None
    except PlumveilError:
        if before is None:
            store.drop_last()
        else:
            store.put(before)
        store.save()
        if item is not None:
            outbox.store(path, waiting)
        raise
