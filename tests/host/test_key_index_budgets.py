"""The index's budgets: memory, disk, blocks read by a look-up, time against the standard library in the same run."""

from __future__ import annotations

import hmac
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from host_tools import derive
from host_tools.keys.index import Index
from host_tools.keys.index_build import Rows
from host_tools.keys.index_format import Layout
from plumveil import wire
from tests.contract.sources import ROOT
from tests.host.indexes import FIRST, GENERATION, KEY, STORE, TENANT, fleet, make, names, opened

GIB = 2**30
FULL_NODES = 1_000_000
CHILD_TIMEOUT_S = 120


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.index"


CHILD = """
import sys
from pathlib import Path
import numpy as np
from host_tools.keys.index import Index
from host_tools.keys.index_build import Rows, build
path, nodes, what = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
options = {"keystore_id": b"s", "generation": b"g"}
if what == "build":
    secrets = np.random.default_rng(1).integers(0, 256, (nodes, 32), np.uint8)
    rows = Rows("t", secrets, np.full(nodes, 20000), np.arange(nodes, dtype=np.uint32))
    for first_day in (20001, 20002):
        build(path, rows, bytes(32), first_day, first_day + 1, **options)
else:
    with Index.open(path, bytes(32), **options) as index:
        for number in range(100):
            index.lookup(number.to_bytes(8, "big"))
    assert "llvmlite" not in sys.modules
# Not ru_maxrss: that keeps the peak of the process this one was started from.
print(int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024)
"""


def peak_bytes(path: Path, nodes: int, what: str) -> int:
    """Peak memory of a process of its own that builds twice, the second time from checkpoints, or looks up."""
    given = [sys.executable, "-c", CHILD, str(path), str(nodes), what]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'firmware'}"}
    ran = subprocess.run(
        given, env=environment, capture_output=True, text=True, timeout=CHILD_TIMEOUT_S, check=False, cwd=path.parent
    )
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read a process's peak memory from")
def test_memory_for_a_million_nodes_stays_within_half_of_two_gib(path: Path) -> None:
    """It grows with the nodes, not with the days: two sizes tell what a million take."""
    few, many = 20_000, 120_000
    small, large = (peak_bytes(path, nodes, "build") for nodes in (few, many))
    per_node = (large - small) / (many - few)
    assert small + per_node * FULL_NODES < GIB
    assert peak_bytes(path, many, "look up") < GIB / 4


def test_a_million_nodes_and_31_days_take_less_than_one_and_a_quarter_gib_on_disk(path: Path) -> None:
    """Twice that while an old index is replaced."""
    rows = fleet([FIRST] * 200)
    make(path, rows)
    layout = Layout(FIRST, (200,) * 5)
    assert path.stat().st_size == layout.size_bytes
    assert Layout(FIRST, (FULL_NODES,) * 31).size_bytes < GIB * 5 // 4


def test_a_look_up_reads_one_block_a_table(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it costs does not grow with the tables."""
    rows = fleet([FIRST] * 5000)
    make(path, rows, FIRST, FIRST + 1)
    kids = list(names(fleet([FIRST] * 50), FIRST, FIRST + 1))
    lengths: list[int] = []
    pread = os.pread

    def counted(handle: int, length: int, at: int) -> bytes:
        lengths.append(length)
        return pread(handle, length, at)

    with opened(path) as last:
        monkeypatch.setattr(os, "pread", counted)
        assert all(last.lookup(kid) for kid in kids)
    assert max(lengths) <= 8192
    # None when all entries of the table are higher, two at the edge of blocks: both are rare.
    assert len(kids) * 10 - 15 <= len(lengths) <= len(kids) * 10 + 3


def hashlib_cpu_s(secrets: list[bytes], days: int) -> float:
    """CPU time of the same names by the standard library's one-shot HMAC, the fastest it has: without any index."""
    labels = [derive.label(wire.L_ID, TENANT, stream) for stream in range(len(wire.STREAMS))]
    step = derive.label(wire.L_NEXT) + b"\x01"
    since = time.process_time()
    for secret in secrets:
        for _ in range(days):
            for label in labels:
                hmac.digest(secret, label, "sha256")
            secret = hmac.digest(hmac.digest(bytes(32), secret, "sha256"), step, "sha256")
    return time.process_time() - since


@pytest.mark.slow
def test_building_is_several_times_as_fast_as_hashing_one_by_one(path: Path) -> None:
    """At a twentieth of full size, sorting and writing included; in CPU time, which other work does not add to."""
    nodes, days, sample = FULL_NODES // 20, 31, 300
    secrets = np.random.default_rng(3).integers(0, 256, (nodes, 32), np.uint8)
    rows = Rows(TENANT, secrets, np.full(nodes, FIRST), np.arange(nodes, dtype=np.uint32))
    since = time.process_time()
    make(path, rows, FIRST, FIRST + days - 1)
    ours = (time.process_time() - since) / nodes
    theirs = hashlib_cpu_s([secret.tobytes() for secret in secrets[:sample]], days) / sample
    assert theirs / ours > 3
    with Index.open(path, KEY, keystore_id=STORE, generation=GENERATION) as built:
        secret = derive.Chain(secrets[-1].tobytes()).at(30)
        assert built.lookup(derive.pseudonym(secret, TENANT, 3)) == [(nodes - 1, FIRST + 30, 3)]
