"""What tests of the `consent` commands share: three nodes and a keystore, what the commands said, and the node's own
reading of what they made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plumveil import grant as node_side
from tests.host.keystores import NAMES, NOW_S, TENANT, consent_command, key_set
from tests.host.stores import logged

FRIDGE, LORRY, FREEZER = NAMES
TERMS = ("--tier", "district", "--purpose", "delivery to ward nine", "--notice", "2026-07")
UNTIL = ("--until", "2026-07-20T12:00:00")
UNTIL_S = 1_784_548_800
GIVE = (*TERMS, *UNTIL, "--by", "Dr. A. Nurse")
DELEGATE = (*TERMS, *UNTIL, "--person", "T. Echnician")


class State:
    """What of a node's key slot its reading of grants and commands looks at."""

    def __init__(self, name: str, serial: int = 0, epoch: int = 20, voids: tuple[int, ...] = ()) -> None:
        self.k_consent, self.tenant, self.serial, self.epoch = key_set(name).k_consent, TENANT, serial, epoch
        self.voids = list(voids)


class NodePolicy:
    location_ceiling = 3
    widened = 1


def read(name: str, data: bytes, state: State | None = None, now_s: int = NOW_S) -> Any:
    """A grant's parts as the node has them; GrantRefused."""
    return node_side.read(data, state or State(name), NodePolicy(), now_s)


def ran(path: Path, *arguments: str | Path, **more: Any) -> str:
    done = consent_command(*arguments, "--keystore", path, **more)
    assert (done.code, done.err) == (0, ""), done
    return done.out


def listed(path: Path, *arguments: str, **more: Any) -> Any:
    return json.loads(ran(path, "list", "--json", *arguments, **more))


def told(path: Path) -> tuple[str, int, str]:
    """The last entry of the access log."""
    last = logged(path)[-1]
    return last.action, len(last.subjects), last.detail
