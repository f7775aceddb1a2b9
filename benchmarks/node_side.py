"""The node's half of the bench: runs the vm_*.py beside it in the MicroPython VM, over the compiled firmware."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools import boards
from host_tools.firmware_build import compile_firmware, compile_source
from host_tools.firmware_source import beside
from host_tools.policy.profile import Profile, load_profile
from host_tools.provision import Network, Provisioned, provision
from host_tools.registry import Registry
from host_tools.vm import Vm, VmError

HERE = Path(__file__).resolve().parent
EPOCH0_DAY = 20460  # 2026-01-07
SEAL_INTERVAL_S = 10  # the shortest there is: a batch within an hour, and so under one seal key
FIELDS = {"temperature": 1, "humidity": 1, "shock_peak": 1, "battery": 1}

Rows = list[tuple[int, int, int, int]]


@dataclass(frozen=True)
class NodeFigures:
    """Sizes in bytes over all readings; times in us a reading, the least of several rounds.

    ours_us: without the hours' steps of the key chains; key_steps_us: those.
    """

    readings: int
    sealed_bytes: int
    peer_bytes: int
    alarm_bytes: int
    position_bytes: int
    ours_us: float
    key_steps_us: float
    peer_us: float
    json_us: float
    messages: list[bytes]
    registry: Registry


@dataclass(frozen=True)
class SealFigures:
    """The step that completes a batch and its sealing, us a batch, the least of several rounds.

    warm_us, cold_us: the whole step with the seal key derived before, and in the step itself. seal_us: AAD, headers
    and AES-CCM alone; no_aes_us: the same but for AES, which the VM has from its host.
    """

    warm_us: float
    cold_us: float
    seal_us: float
    no_aes_us: float

    @property
    def share(self) -> float:
        """Of the step, with the key derived before."""
        return self.seal_us / self.warm_us

    @property
    def share_with_derivation(self) -> float:
        """Of the step, the key's derivation counted on both sides."""
        return (self.seal_us + self.cold_us - self.warm_us) / self.cold_us


@dataclass(frozen=True)
class HeapFigures:
    """Heap in use once the node is built, with a batch of 59 open, and at the end of the deepest step; bytes.

    The deepest of the steps that fill the batch, and of the one that seals it.
    """

    built_bytes: int
    open_bytes: int
    filling_bytes: int
    sealing_bytes: int


def firmware_bytes() -> int:
    """Size of all firmware as a node gets it."""
    return sum(len(content) for content in compile_firmware().values())


def bench_profile() -> Profile:
    """The general profile narrowed to the four fields that the budget names."""
    return load_profile("general").with_fields(FIELDS)


def _node(**changed: object) -> Provisioned:
    network = Network("127.0.0.1", 1883, None, "bench", "bench-bench")
    profile = bench_profile().model_copy(update=changed)
    return provision("bench", "bench", boards.load("virtual"), profile, network, EPOCH0_DAY)


def _vm_result(script: str, rows: Rows, node: Provisioned) -> tuple[dict[str, Any], dict[str, bytes]]:
    files = {
        "/bench/slot.bin": node.slot_bytes,
        "/pv/config.bin": node.config_bytes,
        "/bench/rows.json": json.dumps(rows).encode(),
    }
    for source in [HERE / "peer_senml.py", *HERE.glob("vm_*.py")]:
        code = beside(source.read_text(encoding="utf-8")).encode()
        files[f"/lib/{source.stem}.mpy"] = compile_source(code, source.name)
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
        key_steps_us=got["key_steps"] / n,
        peer_us=got["peer"] / n,
        json_us=got["json"] / n,
        messages=[files[path] for path in sorted(files)],
        registry=Registry(nodes=(node.record,)),
    )


def seal(rows: Rows) -> SealFigures:
    """The sealing of batches of 60 beside the steps that they are sealed in."""
    rows = rows[: len(rows) // 60 * 60]
    got, _ = _vm_result("vm_seal", rows, _node(sample_s=SEAL_INTERVAL_S))
    return SealFigures(*(got[kind] / got["batches"] for kind in ("warm", "cold", "seal", "no_aes")))


def heap(rows: Rows) -> HeapFigures:
    """The heap while a batch of 60 is filled and sealed."""
    got, _ = _vm_result("vm_heap", rows, _node())
    if got["sealed"] != 1:
        raise VmError("the batch was not sealed when the heap was read")
    return HeapFigures(*(got[name] for name in ("built", "open", "filling", "sealing")))
