"""A node on a live line, as its technician sees it: what it answers, as data. Raw sensor values pass through here on
their way to the screen, and are written nowhere.
"""

from __future__ import annotations

import binascii
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host_tools.errors import PlumveilError
from host_tools.firmware_source import OF_THIS_VERSION, beside, inlined
from host_tools.live_line import LiveLine
from host_tools.node_link import RUN_TIMEOUT_S, NodeLost
from plumveil import terms

SEARCH_S = 60.0  # plumveil.hardware's FIX_MAX_MS: so long a node may look for its position without a word
CODE = Path(__file__).resolve().parents[1] / "node_code"
# What the node cannot do, by the kind of its fault: line for the user.
FAULTS = {
    "firmware": "there is no Plumveil firmware with consent on the board: run `plumveil flash`",
    "ConfigError": "the node has no keys, or damaged ones: location is off, and stays so; run `plumveil flash"
    " --node NODE.toml`",
    "SealRefused": "location is off, but the node's flash did not keep that: do it again, and replace the board if"
    " that does not help",
    "OSError": "the node's disk does not read or write: the board is worn or damaged",
    "stopped": "the node's program does not run, so that it takes no grant and sends nothing: if it was just"
    " starting, do it again in a few seconds; else `plumveil doctor` says why",
}
# Why a grant was refused, and what to do.
ADVICE = {
    terms.N_MALFORMED: ("it is cut off, or no grant", "have the controller send it again"),
    terms.N_TENANT: ("it is of another tenant", "ask this node's controller for one"),
    terms.N_NODE: ("it is another node's", "plug in the node that it is for, or ask for one for this node"),
    terms.N_FORGED: ("neither the node's controller nor a delegate made it", "ask the controller for a new one"),
    terms.N_DELEGATION: ("it goes beyond what was delegated", "ask for less, or ask the controller for a grant"),
    terms.N_VOIDED: ("its delegation was voided", "ask the controller for a grant, or another delegation"),
    terms.N_REPLAYED: ("this node has decided on a newer one, or on this one already", "ask for a new one"),
    terms.N_EXPIRED: ("it has expired", "ask the controller for a new one"),
    terms.N_NOT_YET: ("its time has not come yet", "wait, or check the clocks of node and laptop"),
    terms.N_CEILING: ("it is finer than the node's policy allows", "ask for a coarser one"),
    terms.N_POLICY: ("it was given before the node's policy was widened", "ask for one under the policy in force"),
    terms.N_CLOCK: (
        "the node has no trusted time to judge it by",
        "let it reach its access point and time server, then do it again",
    ),
}


@dataclass(frozen=True)
class Grant:
    """A consent that the node holds. tier: index into wire.TIERS; times in Unix s; delegation: 0 without.

    given_s: when the node took it, None where it had no trusted time; the texts are None when the log has them no
    more. person, reason: of a delegate's.
    """

    serial: int
    tier: int
    starts_s: int
    expires_s: int
    policy: int
    delegation: int
    given_s: int | None = None
    purpose: str | None = None
    notice: str | None = None
    who: str | None = None
    person: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Running:
    """What a program that runs says. now_s: its trusted time, or None; fields: id -> step in wire units; now: whether
    the policy lets positions be taken now; refusals: since its start; queued: messages."""

    now_s: int | None
    policy: int
    ceiling: int
    fields: dict[int, int]
    sample_s: int
    position_s: int
    receiver: bool
    now: bool
    refusals: int
    queued: int


@dataclass(frozen=True)
class Status:
    """tier: in force now; serial: the newest consent decided on; running: None where no program runs."""

    tier: int
    serial: int
    grant: Grant | None
    running: Running | None


@dataclass(frozen=True)
class Value:
    """One field: as it was taken (raw unit of wire.FIELDS), as it would be sent (wire unit) or the rule of wire.RULES
    that drops it (else 0)."""

    id: int
    taken: int = field(repr=False)
    sent: int | None = field(repr=False)
    rule: int


@dataclass(frozen=True)
class Preview:
    """What would leave now. open: readings in the open batch; sizes: stream -> bytes of its message; cell: (tier,
    row, column), None when there is none; rule: of wire.RULES that keeps it from being sent, else 0."""

    status: Status
    readings: tuple[Value, ...] = field(repr=False)
    health: tuple[Value, ...] = field(repr=False)
    faults: tuple[str, ...]
    masked: bool
    open: int
    sizes: dict[int, int]
    cell: tuple[int, int, int] | None = field(repr=False)
    rule: int


class Refused(PlumveilError):
    """The node did not believe a grant. reason: terms.N_*."""

    def __init__(self, reason: int) -> None:
        why, what = ADVICE.get(reason, ("for a reason that this version does not know", "update this side"))
        name = dict(terms.REFUSALS).get(reason, str(reason))
        super().__init__(f"refused ({name}): {why}; nothing has changed: {what}")
        self.reason = reason


class LiveNode:
    """The calls of node_code/consent.py and preview.py on an open line. Errors of all: PlumveilError."""

    def __init__(self, line: LiveLine) -> None:
        self._line = line
        self._loaded: set[str] = set()

    def status(self) -> Status:
        """Whether location is on, and why."""
        return _status(self._call("status"))

    def name(self) -> bytes:
        """What grants call this node."""
        return bytes.fromhex(str(self._call("name")))

    def apply(self, grant: bytes) -> Status:
        """Puts a grant in force. Refused, and nothing has changed."""
        found = self._call("on", binascii.b2a_base64(grant, newline=False))
        if "refused" in found:
            raise Refused(int(found["refused"]))
        return _status(found)

    def withdraw(self) -> tuple[bool, Status]:
        """Takes consent back -> whether there was one, and how it stands."""
        found = self._call("off")
        return bool(found["was_on"]), _status(found)

    def preview(self) -> Preview:
        """What the node takes and would send now. Searches for a position, if there is consent: a minute at most."""
        found = self._call("preview", code="preview", timeout_s=SEARCH_S + RUN_TIMEOUT_S)
        cell = found["cell"]
        return Preview(
            _status(found),
            tuple(Value(*one) for one in found["readings"]),
            tuple(Value(*one) for one in found["health"]),
            tuple(map(str, found["faults"])),
            bool(found["masked"]),
            int(found["open"]),
            {int(stream): int(size) for stream, size in found["bytes"].items()},
            None if cell is None else (int(cell[0]), int(cell[1]), int(cell[2])),
            int(found["rule"]),
        )

    def _call(self, function: str, *arguments: object, code: str = "", timeout_s: float | None = None) -> Any:
        sources = ""
        for name in ("consent", code):
            if name and name not in self._loaded:
                source = (CODE / f"{name}.py").read_text(encoding="utf-8")
                as_sent = beside if f"{name}.py" in OF_THIS_VERSION else inlined
                sources += as_sent(source) + "\n"
                self._loaded.add(name)
        told = ", ".join([function, *map(repr, arguments)])
        try:
            # Each time anew: the raw prompt arms Ctrl-C for whatever it is given, and a write must not be torn by it.
            asked = f"{sources}micropython.kbd_intr(-1)\nanswer(guarded({told}))"
            found = json.loads(self._line.run(asked, timeout_s))
        except ValueError:
            raise NodeLost(f"the node at {self._line.port} gave no answer that makes sense") from None
        if isinstance(found, dict) and "fault" in found:
            raise PlumveilError(FAULTS.get(str(found["fault"]), "the node cannot do that"))
        return found


def _status(found: dict[str, Any]) -> Status:
    grant = None
    if found["grant"] is not None:
        grant = Grant(*found["grant"], *(found["said"] or ()))
    running = None
    if found["runs"]:
        fields = {int(field): int(step) for field, step in found["fields"].items()}
        names = [name for name in Running.__dataclass_fields__ if name != "fields"]
        running = Running(fields=fields, **{name: found[name] for name in names})
    return Status(int(found["tier"]), int(found["serial"]), grant, running)
