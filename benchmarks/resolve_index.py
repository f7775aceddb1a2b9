"""The pseudonym index at full size: build time, CPU time, size on disk, memory and look-up time, printed.

    python -m benchmarks.resolve_index [--nodes N] [--epochs E] [--age DAYS] [--folder FOLDER]

Not part of `make bench`: it takes 1 GiB of disk, and a bare time says as much of the machine as of the code.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from host_tools import derive
from host_tools.keys.index import Candidate, Index
from host_tools.keys.index_build import Rows, build
from plumveil import wire

FIRST_DAY = 20_600
LOOKUPS = 200
KEYSTORE, GENERATION = b"benchmark", b"1"


def main() -> None:
    """Builds, looks up, prints."""
    arguments = _arguments()
    rng = np.random.default_rng(1)
    nodes = arguments.nodes
    epoch0_days = np.full(nodes, FIRST_DAY - arguments.age, np.int64)
    secrets = rng.integers(0, 256, (nodes, wire.KEY_BYTES), np.uint8)
    rows = Rows("benchmark", secrets, epoch0_days, np.arange(nodes, dtype=np.uint32))
    folder = Path(tempfile.mkdtemp(prefix="plumveil-index-", dir=arguments.folder))
    try:
        _measure(folder / "index", rows, os.urandom(32), FIRST_DAY + arguments.epochs - 1)
    finally:
        shutil.rmtree(folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the pseudonym index at full size and look pseudonyms up.")
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, default=31, help="days of the window")
    parser.add_argument("--age", type=int, default=0, help="days from the nodes' enrolment to the window")
    parser.add_argument("--folder", type=Path, help="where the index is written, and removed from afterwards")
    return parser.parse_args()


def _measure(path: Path, rows: Rows, key: bytes, last_day: int) -> None:
    times, since = os.times(), time.perf_counter()
    build(path, rows, key, FIRST_DAY, last_day, _progress, keystore_id=KEYSTORE, generation=GENERATION)
    wall_s, after = time.perf_counter() - since, os.times()
    cpu_s = after.user + after.system - times.user - times.system
    entries = len(rows.secrets) * (last_day - FIRST_DAY + 1) * len(wire.STREAMS)
    _say("entries", f"{entries:,}")
    _say("build", f"{wall_s:.1f} s on {os.cpu_count()} cores, {cpu_s:.1f} s of CPU time")
    _say("build per entry", f"{wall_s / entries * 1e9:.0f} ns")
    _say("on disk", f"{path.stat().st_size / 2**20:.0f} MiB")
    _say("peak memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB")
    _say("look-up, index opened anew, median and worst", _lookups(path, rows, key, last_day, _warm))
    _say("the same with the file out of the page cache", _lookups(path, rows, key, last_day, _cold))


def _lookups(path: Path, rows: Rows, key: bytes, last_day: int, before: Callable[[Path], None]) -> str:
    rng, took_ms = np.random.default_rng(2), []
    for _ in range(LOOKUPS):
        row, day = int(rng.integers(len(rows.secrets))), int(rng.integers(FIRST_DAY, last_day + 1))
        stream = int(rng.integers(len(wire.STREAMS)))
        secret = derive.Chain(rows.secrets[row].tobytes()).at(day - int(rows.epoch0_days[row]))
        kid = derive.pseudonym(secret, rows.tenant, stream)
        before(path)
        since = time.perf_counter()
        with Index.open(path, key, keystore_id=KEYSTORE, generation=GENERATION) as index:
            found = index.lookup(kid)
        took_ms.append((time.perf_counter() - since) * 1e3)
        if Candidate(row, day, stream) not in found:
            sys.exit("a pseudonym was not found")
    return f"{statistics.median(took_ms):.1f} ms, {max(took_ms):.1f} ms"


def _warm(_path: Path) -> None:
    pass


def _cold(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{100 * done // total} %" + "\n" * (done == total))


def _say(what: str, figure: str) -> None:
    sys.stdout.write(f"{what}: {figure}\n")


if __name__ == "__main__":
    main()
