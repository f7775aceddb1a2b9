"""Destroys a node's keys, on the node and here: what it sealed is then noise. A signed receipt says what was done.

Never says more than was done: copies of the keystore and what was handed out of it are beyond its reach, and the
receipt says so.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from host_tools import derive
from host_tools.accesslog import AccessLog
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import enrol, index, when
from host_tools.keys.entries import ACTIVE, RETIRED, Entry
from host_tools.keys.keystore import INDEX, Keystore
from host_tools.keys.meta import AUDITOR, CONTROLLER
from host_tools.node_link import NodeLink
from plumveil import wire

VERSION = 1
RECEIPT_MAX_BYTES = 4 * 1024 * 1024  # all that was ever handed out is in it
_LABEL = derive.label("receipt", "retired")
_REMAINS = (
    "copies of the keystore made before, and stores handed out for days before, still open what they opened; not"
    " reached either: technicians' outboxes, and key slots written to files with --out"
)
_NOT_OVERWRITTEN = (
    "; the keystore's old file was replaced and could not be overwritten: until the disk writes over it, it is such a"
    " copy"
)

Receipt = dict[str, Any]


def check(store: Keystore, name: str) -> Entry:
    """The node that is to be retired. PlumveilError when there is none, or it is retired."""
    store.require("retire a node", CONTROLLER)
    entry = store.get(name)
    if entry.state != ACTIVE:
        raise PlumveilError(f"{name!r} is retired already")
    return entry


def retire(store: Keystore, name: str, link: NodeLink | None) -> Receipt:
    """Retires a node of a keystore open for writing; link: None when the node is out of reach.

    PlumveilError when the line leads to another board, or the keys on the node are not gone for sure: nothing is
    destroyed here then.
    """
    entry = check(store, name)
    AccessLog.beside(store).append("retire", [name], 1)
    return _on_host(store, entry, {"reached": False} if link is None else _on_node(store, entry, link))


def _on_node(store: Keystore, entry: Entry, link: NodeLink) -> dict[str, Any]:
    """Destroys the keys on the node -> what the receipt says of it."""
    if entry.board_hash is None:
        raise PlumveilError(
            f"the board of {entry.name!r} was never seen on a line, so it cannot be told that this is it: give"
            " --without-node, and erase its flash by hand"
        )
    if enrol.board_hash(store, link.unique_id()) != entry.board_hash:
        raise PlumveilError(f"the board on the line is not {entry.name!r}; nothing was destroyed")
    erased = link.retire()
    if erased.blank != erased.blocks:
        raise PlumveilError(
            f"only {erased.blank} of the node's {erased.blocks} key blocks read back blank: do it again, or destroy"
            " the board and give --without-node; nothing was destroyed here"
        )
    area = "flash partition" if erased.raw else "files, whose old blocks the file system may keep for a while"
    return {"reached": True, "blocks": erased.blocks, "blocks_blank": erased.blank, "key_area": area}


def _on_host(store: Keystore, entry: Entry, node_part: dict[str, Any]) -> Receipt:
    """Destroys the keys in the keystore -> the receipt."""
    signing_key = store.signing_key
    if signing_key is None:
        raise UsageError(f"{store.path} has no key to sign a receipt with")
    sets = len(entry.key_sets)
    bare = Entry(entry.number, entry.name, entry.tenant, RETIRED, entry.board, None, None, None)
    store.put(bare)
    overwritten = store.save(destroy_old=True)
    index.discard(store.beside(INDEX))
    body: Receipt = {
        "receipt": "node retired",
        "version": VERSION,
        "tenant": store.tenant,
        "node": entry.name,
        "time": when.moment_text(when.now_s()),
        "on_node": node_part,
        "on_host": {
            "key_sets_destroyed": sets,
            "consent_secrets_destroyed": len(entry.consents),
            "old_file_overwritten": overwritten,
        },
        "handed_out": _handed_out(store, entry),
        "remains": _REMAINS if overwritten else _REMAINS + _NOT_OVERWRITTEN,
        "signing_key": signing_key.public_key().public_bytes_raw().hex(),
    }
    return {**body, "signature": signing_key.sign(_LABEL + _canonical(body)).hex()}


def _handed_out(store: Keystore, entry: Entry) -> list[dict[str, str]]:
    """Stores that can have held something of the node. Expired ones too: what is in a file does not end with its use.
    An auditor's holds no node."""
    first_day = min((keys.epoch0_day for keys in entry.key_sets), default=0)
    return [
        {"role": one.role, "until": when.moment_text(one.expires_s)}
        for one in store.meta.handouts
        if one.role != AUDITOR and one.made_s // wire.EPOCH_S >= first_day
    ]


def text(receipt: Receipt) -> str:
    """The receipt as a file."""
    return json.dumps(receipt, indent=1, ensure_ascii=False) + "\n"


def verify(data: bytes, store: Keystore) -> Receipt:
    """The receipt in a file, when a controller of the tenant signed it. PlumveilError when not.

    Takes a controller's or an auditor's keystore.
    """
    store.require("verify a receipt", AUDITOR, CONTROLLER)
    try:
        receipt = json.loads(data[:RECEIPT_MAX_BYTES])
        body = {key: value for key, value in receipt.items() if key != "signature"}
        signer, signature = bytes.fromhex(receipt["signing_key"]), bytes.fromhex(receipt["signature"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PlumveilError("that is no receipt") from None
    copies = tuple(handout.public_key for handout in store.meta.handouts if handout.role == CONTROLLER)
    if signer not in (*store.log_public_keys, *copies) or body.get("tenant") != store.tenant:
        raise PlumveilError("the receipt is not signed by a controller of this tenant, as far as this keystore knows")
    try:
        Ed25519PublicKey.from_public_bytes(signer).verify(signature, _LABEL + _canonical(body))
    except InvalidSignature:
        raise PlumveilError("the receipt was changed after it was signed") from None
    return dict(receipt)


def _canonical(body: Receipt) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
