"""Takes nodes into a controller's keystore: what technicians enrolled, and the nodes of a plain key file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host_tools import registry
from host_tools.accesslog import AccessLog
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import container, entries, outbox, roles
from host_tools.keys.enrol import with_earlier_keys, with_new_keys
from host_tools.keys.entries import ACTIVE, Entry, KeySet
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import CONTROLLER, TECHNICIAN
from host_tools.keys.outbox import Delivery, Item
from host_tools.registry import Node


@dataclass
class Imported:
    """What became of what was in a file: counts, and for each item refused its place and why."""

    enrolled: int = 0
    rekeyed: int = 0
    known: int = 0
    refused: tuple[str, ...] = ()

    def refuse(self, number: int, why: str) -> None:
        """Adds a refusal; number: the item's place, from 1."""
        self.refused = (*self.refused, f"item {number}: {why}")


class _Known:
    """Numbers of the nodes there are, by name and by board."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._boards: dict[bytes, int] = {}

    def add(self, entry: Entry) -> None:
        """Takes note of a node."""
        self.names[entry.name] = entry.number
        if entry.board_hash is not None:
            self._boards[entry.board_hash] = entry.number

    def on_another(self, delivery: Delivery, found: Entry | None) -> bool:
        """Whether a delivery is from a board that is another node than `found`."""
        if delivery.board_hash not in self._boards:
            return False
        return found is None or self._boards[delivery.board_hash] != found.number


def take_in(store: Keystore, path: Path) -> Imported:
    """Imports an outbox or a plain key file into a keystore open for writing, and saves it.

    Raises UsageError when the file is neither, Damaged, BeyondRole. An item that cannot be taken in is refused by
    itself.
    """
    store.require("import nodes", CONTROLLER)
    roles.require_lasting(store, "import nodes")
    if container.is_container(path):
        raise UsageError(f"{path} is a keystore: it is used with --keystore; what is imported is its outbox")
    done = _take_outbox(store, outbox.load(path)) if outbox.is_outbox(path) else _take_registry(store, path)
    AccessLog.beside(store).append("import", (), done.enrolled + done.rekeyed)
    if done.enrolled or done.rekeyed:
        store.save()
    return done


def _take_outbox(store: Keystore, items: list[Item]) -> Imported:
    done = Imported()
    known = _Known()
    for entry in store.nodes():
        known.add(entry)
    until_s = {handout.public_key: handout.expires_s for handout in store.meta.handouts if handout.role == TECHNICIAN}
    private = store.meta.enrol_private
    if private is None:
        raise UsageError(f"{store.path} has no enrolment key")
    for number, item in enumerate(items, 1):
        if item.signer not in until_s or not item.signed(store.tenant):
            done.refuse(number, "not signed by a technician's keystore of this tenant")
            continue
        delivery = outbox.unseal(item, store.tenant, private)
        if delivery is None:
            done.refuse(number, "not sealed to the enrolment key in force, or damaged")
        elif delivery.made_s >= until_s[item.signer]:
            done.refuse(number, "made after the technician's keystore was expired")
        else:
            _take_delivery(store, known, delivery, done, number)
    return done


def _take_delivery(store: Keystore, known: _Known, delivery: Delivery, done: Imported, number: int) -> None:
    try:
        entries.check_name(delivery.name)
    except UsageError:
        done.refuse(number, "a name that no node can have")
        return
    found = store.node(known.names[delivery.name]) if delivery.name in known.names else None
    if found is not None and any(keys.k_id == delivery.keys.k_id for keys in found.key_sets):
        done.known += 1
    elif found is None and delivery.kind == outbox.REKEY:
        done.refuse(number, "rekeys a node that is not here: import the file that enrolled it first")
    elif found is not None and found.state != ACTIVE:
        done.refuse(number, "its node is retired")
    elif found is not None and delivery.kind == outbox.ENROL:
        done.refuse(number, "there is a node of its name with other keys")
    elif known.on_another(delivery, found):
        done.refuse(number, "its board is another node of the tenant")
    elif found is None:
        known.add(store.add(_entry(store, delivery)))
        done.enrolled += 1
    elif None not in (delivery.board_hash, found.board_hash) and delivery.board_hash != found.board_hash:
        done.refuse(number, "it was made on another board than its node's: rekey the node with this keystore")
    else:
        changed = _rekeyed(found, delivery)
        store.put(changed)
        known.add(changed)
        done.rekeyed += 1


def _rekeyed(found: Entry, delivery: Delivery) -> Entry:
    """Outboxes come when they come: keys older than those in force never take their place."""
    if found.keys is not None and delivery.keys.epoch0_day < found.keys.epoch0_day:
        return with_earlier_keys(found, delivery.keys)
    # Written to a file there was no board to be seen; it is the node's all the same.
    return with_new_keys(found, delivery.keys, delivery.board_hash or found.board_hash)


def _entry(store: Keystore, delivery: Delivery) -> Entry:
    return Entry(
        store.count,
        delivery.name,
        store.tenant,
        ACTIVE,
        delivery.board,
        delivery.board_hash,
        delivery.keys.k_config,
        delivery.keys,
        policies=delivery.policies,
    )


def _take_registry(store: Keystore, path: Path) -> Imported:
    """Nodes of a plain key file, made by a simulation or before there were keystores."""
    done = Imported()
    numbers = {entry.name: entry.number for entry in store.nodes()}
    for number, node in enumerate(registry.load(path).nodes, 1):
        if node.tenant != store.tenant:
            done.refuse(number, "a node of another tenant")
            continue
        try:
            entries.check_name(node.name)
        except PlumveilError as error:
            done.refuse(number, str(error))
            continue
        if node.name not in numbers:
            numbers[node.name] = store.add(_of_record(node, store.count)).number
            done.enrolled += 1
        elif any(keys.k_id.hex() == node.k_id for keys in store.node(numbers[node.name]).key_sets):
            done.known += 1
        else:
            done.refuse(number, "there is a node of its name with other keys")
    return done


def _of_record(node: Node, number: int) -> Entry:
    k_id, k_chain, k_config, k_consent = (
        bytes.fromhex(secret) for secret in (node.k_id, node.k_chain, node.k_config, node.k_consent)
    )
    keys = KeySet(k_id, k_chain, k_config, k_consent, node.epoch0_day)
    return Entry(
        number,
        node.name,
        node.tenant,
        ACTIVE,
        board="",
        board_hash=None,
        k_config=k_config,
        keys=keys,
        policies=node.policies,
        consents=node.consents,
        serial=max((consent.serial for consent in node.consents), default=0),
    )
