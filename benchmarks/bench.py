"""`make bench`: prints the design's budgets with measured values and their peers, writes build/bench.json.

Ratios and sizes are judged; times of one run stand beside each other, not against a clock, but for one whose bar
leaves a busy machine room enough (cells on the host). Exit code 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import data, host_side, node_side

OUT = Path(__file__).resolve().parents[1] / "build" / "bench.json"


@dataclass(frozen=True)
class Figure:
    """One line of the table. `bar` is the limit `value` is held to, by `ok`; None: shown for comparison only."""

    value: float
    bar: float | None
    unit: str
    ok: bool


def at_most(value: float, bar: float, unit: str) -> Figure:
    """A figure that may not exceed its bar."""
    return Figure(round(value, 3), bar, unit, value <= bar)


def at_least(value: float, bar: float, unit: str) -> Figure:
    """A figure that may not fall below its bar."""
    return Figure(round(value, 3), bar, unit, value >= bar)


def shown(value: float, unit: str) -> Figure:
    """A figure without a bar, for comparison."""
    return Figure(round(value, 3), None, unit, True)


def entropy_bits(rows: list[tuple[int, int, int, int]]) -> float:
    """Entropy of the differences of the four columns at wire resolution, bits a reading (Shannon, order 0)."""
    total = 0.0
    for column, per_unit in enumerate((100, 500, 100, 20)):
        units = [math.floor(row[column] / per_unit + 0.5) for row in rows]
        counts = Counter(b - a for a, b in itertools.pairwise(units))
        n = sum(counts.values())
        total -= sum(c * math.log2(c / n) for c in counts.values()) / n
    return total


def _sizes_and_times(node: node_side.NodeFigures, rows: node_side.Rows) -> dict[str, Figure]:
    sealed = node.sealed_bytes / node.readings
    peer = node.peer_bytes / node.readings
    with_key_steps_us = node.ours_us + node.key_steps_us
    return {
        "sealed_bytes_per_reading": at_most(sealed, 3.2, "B"),
        "senml_cbor_over_sealed": at_least(peer / sealed, 30, "x"),
        "senml_cbor_bytes_per_reading": shown(peer, "B"),
        "entropy_of_differences": shown(entropy_bits(rows) / 8, "B"),
        "sealed_alarm": at_most(node.alarm_bytes, 128, "B"),
        "sealed_position": at_most(node.position_bytes, 128, "B"),
        "filter_pack_over_senml_cbor": at_most(node.ours_us / node.peer_us, 0.5, "x"),
        "with_key_steps_over_senml_cbor": shown(with_key_steps_us / node.peer_us, "x"),
        "filter_pack_time": shown(node.ours_us, "us"),
        "key_steps_time": shown(node.key_steps_us, "us"),
        "senml_cbor_python_time": shown(node.peer_us, "us"),
        "json_dumps_c_time": shown(node.json_us, "us"),
    }


def _sealing(seal: node_side.SealFigures) -> dict[str, Figure]:
    return {
        "seal_share_of_step": at_most(seal.share, 1 / 3, "x"),
        "seal_share_with_derivation": shown(seal.share_with_derivation, "x"),
        "seal_time": shown(seal.seal_us, "us"),
        "seal_time_without_aes": shown(seal.no_aes_us, "us"),
        "seal_step_time": shown(seal.warm_us, "us"),
    }


def _heap(heap: node_side.HeapFigures) -> dict[str, Figure]:
    return {
        "heap_peak": at_most(max(heap.filling_bytes, heap.sealing_bytes) / 1024, 80, "KiB"),
        "heap_peak_filling": shown(heap.filling_bytes / 1024, "KiB"),
        "heap_peak_sealing": shown(heap.sealing_bytes / 1024, "KiB"),
        "heap_batch_open": shown(heap.open_bytes / 1024, "KiB"),
        "heap_built": shown(heap.built_bytes / 1024, "KiB"),
    }


def measure(say: Callable[[str], None]) -> tuple[dict[str, Figure], str]:
    """All figures, and where the temperatures come from."""
    rows, source = data.rows()
    say("sizes")
    figures = {"firmware_mpy": at_most(node_side.firmware_bytes() / 1024, 48, "KiB")}
    say("filter and pack in the VM")
    node = node_side.run(rows)
    figures |= _sizes_and_times(node, rows)
    say("sealing in the VM")
    figures |= _sealing(node_side.seal(rows))
    say("heap in the VM")
    figures |= _heap(node_side.heap(rows))
    say("opening and validating on the host")
    host = host_side.run(node.messages, node.registry)
    figures["validate_over_plain_cbor"] = at_most(host.ours_us / host.plain_us, 2, "x")
    figures["validate_over_still_packed"] = shown(host.ours_us / host.packed_us, "x")
    figures["validate_batch_time"] = shown(host.ours_us, "us")
    figures["plain_cbor_batch_time"] = shown(host.plain_us, "us")
    say("cells on the host")
    figures["cells_of_100000_fixes"] = at_most(host_side.cells_s(), 1, "s")
    return figures, source


def show(figures: dict[str, Figure], source: str, console: Console) -> None:
    """Prints the table."""
    table = Table(title="Budgets", caption=f"temperatures: {source}; humidity, shock and battery modelled")
    for name in ("figure", "measured", "bar", "unit", ""):
        table.add_column(name, justify="left" if name in ("figure", "unit", "") else "right")
    for name, figure in figures.items():
        bar = "" if figure.bar is None else f"{figure.bar:g}"
        verdict = "" if figure.bar is None else "ok" if figure.ok else "MISSED"
        table.add_row(name, f"{figure.value:g}", bar, figure.unit, verdict)
    console.print(table)


def main() -> int:
    """Command line entry; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes (default: build/bench.json)")
    out = parser.parse_args().out
    console = Console()
    with console.status("measuring") as status:
        figures, source = measure(lambda what: status.update(f"measuring: {what}"))
    show(figures, source, console)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({name: asdict(figure) for name, figure in figures.items()}, indent=1) + "\n", "utf-8")
    return 0 if all(figure.ok for figure in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
