"""Renews all that is the tenant's own: passphrase, master, index, signing and enrolment keys. Nodes keep theirs.

Kept are public keys of earlier logs and receipts, keys that hash the log's subjects, and the key that hashes board
ids: the ids are not here to be hashed anew.
"""

from __future__ import annotations

import dataclasses

from host_tools.accesslog import AccessLog
from host_tools.errors import PlumveilError
from host_tools.keys import container, index, meta, when
from host_tools.keys.keystore import INDEX, Keystore
from host_tools.keys.meta import CONTROLLER, TECHNICIAN
from host_tools.keys.sealing import STRONG, Cost


def check(store: Keystore, *, end_technicians: bool) -> None:
    """PlumveilError when there are technicians' stores in the field: what they enrolled and did not deliver would be
    lost. end_technicians: so be it."""
    store.require("rotate its keys", CONTROLLER)
    now_s = when.now_s()
    count = sum(one.role == TECHNICIAN and one.expires_s > now_s for one in store.meta.handouts)
    if count and not end_technicians:
        raise PlumveilError(
            f"{count} technicians' keystores are valid, and what they enrol after this cannot be read: import their"
            " outboxes, then give --end-technicians, and export new ones"
        )


def rotate(store: Keystore, passphrase: str, *, end_technicians: bool = False, cost: Cost = STRONG) -> None:
    """Rotates a controller's keystore, open for writing. PlumveilError as of `check`."""
    check(store, end_technicians=end_technicians)
    renewed = dataclasses.replace(store.meta, **meta.signing_part(store.meta), **meta.enrol_part())
    opening = container.new_opening(passphrase, cost)
    # The old key names the new one before that takes its place: a rotation cut short here is taken back by the log.
    AccessLog.beside(store).rotate(renewed.log_keys[-1])
    store.meta = renewed
    store.save(opening=opening, destroy_old=True)
    index.discard(store.beside(INDEX))
