"""Renews all that is the tenant's own: passphrase, master, index, signing and enrolment keys. Nodes keep theirs.

Kept are public keys of earlier logs and receipts, keys that hash the log's subjects, and the key that hashes board
ids: the ids are not here to be hashed anew.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from host_tools.accesslog import AccessLog
from host_tools.accesslog_chain import ROTATE
from host_tools.errors import PlumveilError
from host_tools.keys import container, index, meta, roles
from host_tools.keys.keystore import INDEX, Keystore
from host_tools.keys.meta import CONTROLLER, TECHNICIAN
from host_tools.keys.sealing import STRONG, Cost


def check(store: Keystore, *, end_technicians: bool) -> None:
    """PlumveilError when technicians' stores were handed out since the last rotation, expired ones too: what they
    enrolled or granted and did not deliver would be lost. end_technicians: so be it."""
    store.require("rotate its keys", CONTROLLER)
    roles.require_lasting(store, "rotate its keys")
    count = _technicians(store)
    if count and not end_technicians:
        raise PlumveilError(
            f"technicians' keystores handed out since the last rotation: {count}; what they enrolled or granted,"
            " expired ones too, cannot be read after this: import their outboxes, collect receipts, then give"
            " --end-technicians, and export new ones"
        )


def _technicians(store: Keystore) -> int:
    """How many technicians' stores may hold what is sealed to the enrolment key in force. Rather too many than too
    few: where the log does not tell of the last rotation, all there ever were."""
    total = sum(one.role == TECHNICIAN for one in store.meta.handouts)
    own = store.log_public_keys[-1].hex()
    since: int | None = None
    for line in _log(store):
        # The order of the log is sure, the clock is not. One "taken back" names the same key, and renewed nothing.
        if (line.get("action"), line.get("next_key"), line.get("detail")) == (ROTATE, own, "new key"):
            since = 0
        elif since is not None and line.get("action") == "export":
            since += str(line.get("detail")).startswith(f"role {TECHNICIAN} ")
    return total if since is None else min(total, since)


def _log(store: Keystore) -> Iterator[dict[str, Any]]:
    try:
        with AccessLog.beside(store).path.open("rb") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except (ValueError, RecursionError):
                    continue
                if isinstance(line, dict):
                    yield line
    except OSError:
        return


def rotate(store: Keystore, passphrase: str, *, end_technicians: bool = False, cost: Cost = STRONG) -> bool:
    """Rotates a controller's keystore, open for writing -> whether the old file's keys were overwritten.

    PlumveilError as of `check`.
    """
    check(store, end_technicians=end_technicians)
    renewed = dataclasses.replace(store.meta, **meta.signing_part(store.meta), **meta.enrol_part())
    opening = container.new_opening(passphrase, cost)
    # The old key names the new one before that takes its place: a rotation cut short here is taken back by the log.
    AccessLog.beside(store).rotate(renewed.log_keys[-1])
    store.meta = renewed
    overwritten = store.save(opening=opening, destroy_old=True)
    index.discard(store.beside(INDEX))
    return overwritten
