"""The node's half of the bench: runs vm_bench.py and vm_heap.py in the MicroPython VM over the compiled firmware."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools import boards
from host_tools.firmware_build import compile_firmware, compile_source
from host_tools.provision import Network, Profile, Provisioned, load_profile, provision
from host_tools.registry import Registry
from host_tools.simulate.runner import KEYS_IMAGE
from host_tools.vm import Vm, VmError

HERE = Path(__file__).resolve().parent
EPOCH0_DAY = 20460  # 2026-01-07
FIELDS = {"temperature": 1, "humidity": 1, "shock_peak": 1, "battery": 1}

Rows = list[tuple[int, int, int, int]]


@dataclass(frozen=True)
class NodeFigures:
    """Sizes in bytes over all readings; times in us a reading, the least of several rounds."""

    readings: int
    sealed_bytes: int
    peer_bytes: int
    alarm_bytes: int
    position_bytes: int
    ours_us: float
    peer_us: float
    json_us: float
    messages: list[bytes]
    registry: Registry


@dataclass(frozen=True)
class HeapFigures:
    """Heap in use with a batch open, and at its deepest while that batch is sealed; bytes."""

    open_bytes: int
    peak_bytes: int


def firmware_bytes() -> int:
    """Size of all firmware as a node gets it."""
    return sum(len(content) for content in compile_firmware().values())


def bench_profile() -> Profile:
    """The general profile narrowed to the four fields that the budget names."""
    return load_profile("general").model_copy(update={"fields": FIELDS})


def _node() -> Provisioned:
    network = Network("127.0.0.1", 1883, None, "bench", "bench-bench")
    return provision("bench", "bench", boards.load("virtual"), bench_profile(), network, EPOCH0_DAY)


def _vm_result(script: str, rows: Rows, node: Provisioned) -> tuple[dict[str, Any], dict[str, bytes]]:
    files = {
        KEYS_IMAGE: node.slot_bytes,
        "/pv/config.bin": node.config_bytes,
        "/bench/rows.json": json.dumps(rows).encode(),
    }
    for name in ("peer_senml", "vm_bench", "vm_heap"):
        files[f"/lib/{name}.mpy"] = compile_source((HERE / f"{name}.py").read_bytes(), f"{name}.py")
    with Vm(heap_kib=512) as vm:
        for path, content in files.items():
            vm.put(path, content)
        for result in (vm.run(f"from {script} import turn"), vm.loop("turn")):
            if not result.ok:
                raise VmError(f"{script} failed in the VM:\n{result.error}")
        return json.loads(result.output), vm.tree("/bench/out")


def run(rows: Rows) -> NodeFigures:
    """Filter, pack and seal `rows` in the VM, several rounds beside the peers."""
    node = _node()
    rows = rows[: len(rows) // 240 * 240]
    got, files = _vm_result("vm_bench", rows, node)
    n = len(rows)
    return NodeFigures(
        readings=n,
        sealed_bytes=sum(got["sizes"]),
        peer_bytes=got["peer_bytes"],
        alarm_bytes=got["single"]["alarm"],
        position_bytes=got["single"]["position"],
        ours_us=got["ours"] / n,
        peer_us=got["peer"] / n,
        json_us=got["json"] / n,
        messages=[files[path] for path in sorted(files)],
        registry=Registry(nodes=(node.record,)),
    )


def heap(rows: Rows) -> HeapFigures:
    """The heap while a batch of 60 is sealed."""
    got, _ = _vm_result("vm_heap", rows, _node())
    if got["sealed"] != 1:
        raise VmError("the batch was not sealed when the heap was read")
    return HeapFigures(got["open"], got["peak"])
