"""The `configure` commands: read node.toml, ask the rules, show what changes, write, print. Returns exit codes.

Prints no secret, and no more of a node than its configuration.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from host_tools import ports
from host_tools.configure import compiling, exporting, onnode, rules, writing
from host_tools.configure.faults import NodeTomlFaults
from host_tools.configure.nodetoml import NodeToml, load
from host_tools.configure.parts import gather
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import commands as keys
from host_tools.keys import enrol
from host_tools.keys.commands import Where
from host_tools.keys.entries import Entry
from host_tools.keys.files import replacing
from host_tools.node_link import NodeLink
from host_tools.render import time_text

DONE, FAILED = 0, 1


@dataclass(frozen=True)
class Wanted:
    """What `configure` is to do: port None: find it."""

    file: Path
    port: str | None
    dry_run: bool
    diff: bool


def write(wanted: Wanted, where: Where) -> int:
    """Configures a node, or says what that would do."""
    node = load(wanted.file)
    if wanted.dry_run and wanted.port is None and not wanted.diff:
        return _without_a_node(node)
    # Before a passphrase is asked for and a node is stopped.
    rules.check(gather(node))
    port = ports.one(wanted.port).device
    with keys.opened(where, write=not wanted.dry_run) as store, NodeLink(port) as link:
        planned = writing.plan(store, node, link)
        if wanted.diff:
            print("\n".join(planned.differences) or "nothing changes")
        if planned.needless:
            have = "waits for" if planned.compiled.from_s else "has"
            print(f"{planned.entry.name} {have} this configuration already; nothing was written.")
            return DONE
        for note in planned.notes:
            print(f"Note: {note}.", file=sys.stderr)
        if wanted.dry_run:
            print(f"{_summary(planned)}; nothing was written.")
            return DONE
        writing.write(store, link, planned)
    if planned.compiled.from_s is not None:
        print(f"{_summary(planned)}: loaded ahead, in force from {time_text(planned.compiled.from_s)}.")
        return DONE
    with Console(stderr=True).status("waiting until the node has run with it"):
        writing.confirm(port, planned)
    print(f"{_summary(planned)}: the node has run with it.")
    return DONE


def _summary(planned: writing.Plan) -> str:
    compiled = planned.compiled
    return (
        f"{planned.entry.name}: configuration {compiled.version}, {len(planned.file)} bytes, policy"
        f" {compiled.profile.name} version {compiled.policy.version}"
    )


def _without_a_node(node: NodeToml) -> int:
    compiled = compiling.compile_node(node, 1, ahead=True)
    size_bytes = len(compiling.seal(compiled, bytes(32)))
    print(f"{node.path}: sound; a configuration of {size_bytes} bytes. No node was looked at: --port does that.")
    return DONE


def check(path: Path) -> int:
    """Prints all that is wrong in a node.toml, a line each."""
    try:
        rules.check(gather(load(path)))
    except NodeTomlFaults as found:
        for fault in found.faults:
            print(f"{path}: {fault}")
        return FAILED
    print(f"{path}: sound")
    return DONE


def export(port: str | None, out: Path | None, where: Where) -> int:
    """Writes a node.toml of what a node has. With a keystore named, what it has is proven and its name known."""
    ca_file = Path("ca.pem") if out is None else out.with_suffix(".ca.pem")
    for path in (out, ca_file):
        if out is not None and path is not None and path.exists():
            raise UsageError(f"{path} is there already; name another file")
    port = ports.one(port).device
    entry, tenant = None, None
    with NodeLink(port) as link:
        if where.keystore is not None:
            entry, tenant = _known(where, link)
        state = onnode.state(link, None if entry is None else writing.key_of(entry))
    if state.content is None:
        words = "none that can be believed: it is damaged, or not authentic" if state.damaged else "none"
        raise PlumveilError(f"the node at {port} has no configuration to export, it has {words}")
    text = exporting.toml(state.content, ca_file.name, entry, tenant)
    if out is None:
        print(text, end="")
        return DONE
    _save(out, text.encode("utf-8"))
    try:
        pem = exporting.ca_pem(state.content)
    except ValueError:
        raise PlumveilError("what the node has for a CA certificate is none; its configuration is damaged") from None
    if pem is not None:
        _save(ca_file, pem)
    print(f"{out} is written{'' if pem is None else f', and {ca_file}'}.")
    return DONE


def _known(where: Where, link: NodeLink) -> tuple[Entry, str]:
    with keys.opened(where) as store:
        entry = store.find_board(enrol.board_hash(store, link.unique_id()))
        if entry is None:
            raise PlumveilError(f"the board on the line is no node that {store.path} knows by its board")
        return entry, store.tenant


def _save(path: Path, data: bytes) -> None:
    with replacing(path, "node.toml", fresh=True) as file:
        file.write(data)
