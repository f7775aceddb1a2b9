"""How the `keys` commands show what they found: a plain line a node, so that 100,000 come at once; or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from host_tools.keys import when
from host_tools.keys.entries import Entry
from host_tools.keys.index_build import Progress
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import CONTROLLER, PROCESSOR, TECHNICIAN
from host_tools.keys.resolve import Found
from host_tools.render import printable
from plumveil import wire

NODE_COLUMNS = (("node", 28), ("state", 8), ("board", 16), ("known", 5), ("keys since", 10), ("key sets", 8))
FOUND_COLUMNS = (("pseudonym", 16), ("node", 28), ("stream", 8), ("day", 10), ("remark", 0))


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A progress bar on the terminal; nothing where there is none."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _line(columns: Sequence[tuple[str, int]], cells: Iterable[str]) -> str:
    padded = (cell.ljust(width) for (_, width), cell in zip(columns, cells, strict=True))
    return "  ".join(padded).rstrip()


def _head(columns: Sequence[tuple[str, int]]) -> str:
    return _line(columns, (name for name, _ in columns))


def summary(store: Keystore) -> dict[str, Any]:
    """What a store says of itself."""
    told: dict[str, Any] = {"role": store.role, "tenant": store.tenant, "nodes": store.count}
    if store.expires_s is not None:
        told["expires"] = when.moment_text(store.expires_s)
    meta = store.meta
    if store.role == PROCESSOR and meta.first_day is not None and meta.last_day is not None:
        del told["nodes"]
        told |= {
            "streams": [wire.STREAMS[stream] for stream in meta.streams],
            "from": when.date_text(meta.first_day),
            "to": when.date_text(meta.last_day),
        }
    if store.role == CONTROLLER:
        told["handed_out"] = [{"role": h.role, "expires": when.moment_text(h.expires_s)} for h in meta.handouts]
    return told


def _node_json(entry: Entry) -> dict[str, Any]:
    return {
        "node": entry.name,
        "state": entry.state,
        "board": entry.board,
        "board_known": entry.board_hash is not None,
        "keys_since": None if entry.keys is None else when.date_text(entry.keys.epoch0_day),
        "key_sets": len(entry.key_sets),
        "consents": len(entry.consents),
    }


def _node_cells(entry: Entry) -> list[str]:
    since = "" if entry.keys is None else when.date_text(entry.keys.epoch0_day)
    known = "" if entry.board_hash is None else "yes"
    return [printable(entry.name), entry.state, entry.board, known, since, str(len(entry.key_sets) or "")]


def listing(store: Keystore, *, as_json: bool) -> None:
    """Prints what is in a store; of keys only how many there are."""
    told = summary(store)
    nodes = store.nodes() if store.role in (CONTROLLER, TECHNICIAN) else iter(())
    if as_json:
        sys.stdout.write(json.dumps(told)[:-1] + ', "list": [')
        separator = "\n"
        for entry in nodes:
            sys.stdout.write(separator + json.dumps(_node_json(entry)))
            separator = ",\n"
        sys.stdout.write("\n]}\n")
        return
    for key, value in told.items():
        for text in value if isinstance(value, list) else [value]:
            shown = f"{text['role']} until {text['expires']}" if isinstance(text, dict) else printable(str(text))
            print(f"{key.replace('_', ' ')}: {shown}")
    if store.count:
        print("\n" + _head(NODE_COLUMNS))
        for entry in nodes:
            print(_line(NODE_COLUMNS, _node_cells(entry)))


def _remark(found: Found) -> str:
    parts = [f"{found.ahead} epochs ahead of the calendar"] if found.ahead else []
    return ", ".join(parts + (["earlier keys"] if found.keys else []))


def resolved(found: Iterable[Found], unknown: Iterable[str], *, as_json: bool) -> None:
    """Prints who pseudonyms are."""
    if as_json:
        rows = [
            {
                "pseudonym": one.kid.hex(),
                "node": one.entry.name,
                "stream": wire.STREAMS[one.stream],
                "day": when.date_text(one.day),
                "epochs_ahead": one.ahead,
                "earlier_keys": one.keys > 0,
            }
            for one in found
        ]
        print(json.dumps({"resolved": rows, "unknown": list(unknown)}))
        return
    lines = [
        _line(
            FOUND_COLUMNS,
            [
                one.kid.hex(),
                printable(one.entry.name),
                wire.STREAMS[one.stream],
                when.date_text(one.day),
                _remark(one),
            ],
        )
        for one in found
    ]
    if lines:
        print("\n".join([_head(FOUND_COLUMNS), *lines]))
