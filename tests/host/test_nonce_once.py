"""No (key, nonce) pair twice: a million sealings through power cuts, failing flash, wrong clocks, a random generator
that stands still, and old flash images put back. `pytest -s tests/host/test_nonce_once.py` prints what was done.

The scenes are tests/firmware/key{faults,scenes,witness}.py's. That these tests can fail is test_nonce_mutants.py's
matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import keyscenes  # type: ignore[import-not-found]
import pytest
from keywitness import Witness  # type: ignore[import-not-found]

SEALINGS = 1_000_000
IMAGES = 1000
MIXES = 165
LIVES = 100  # of each mix's node

Record = Callable[[str, object], None]


def say(witness: Witness, cpu_s: float, record_property: Record) -> None:
    names = ("sealed", "messages", "lives", "cuts", "faults", "refusals", "put_back")
    for name in names:
        record_property(name, getattr(witness, name))
    counted = ", ".join(f"{name} {getattr(witness, name):,}" for name in names)
    print(f"\nnonces: {counted}; 0 repeats; {cpu_s:.1f} s of one core")


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [2, 4])
@pytest.mark.parametrize("fault", ["cut", "fail", "idle"])
@pytest.mark.parametrize("scene", keyscenes.SCENES)
def test_a_fault_at_every_operation_of_every_commit(scene: str, fault: str, blocks: int) -> None:
    """Single and repeated; a second one at each of the first operations of the recovery."""
    witness = Witness()
    for part in keyscenes.PARTS:
        for times in (1, 5):
            assert keyscenes.at_every_operation(witness, scene, fault, part, times, None, blocks) >= 2
    for part in (None, 23, 256):
        for again in range(4):
            assert keyscenes.at_every_operation(witness, scene, fault, part, 1, again, blocks) >= 2
    assert witness.faults >= 2 * (len(keyscenes.PARTS) * 2 + 12)
    assert (witness.cuts > 0) == (fault == "cut")


@pytest.mark.slow
def test_a_million_sealings_and_no_pair_twice(record_property: Record) -> None:
    """One witness over all nodes and lives; each node has secrets of its own, as after enrolment."""
    started_s = time.process_time()
    witness = Witness()
    # The generator stands still and so does the clock: the counters' ceilings and the pool, each alone, would do.
    keyscenes.frozen_boots(witness, 1000, 0, 130)
    # The clock goes on; then by more than a day with each boot.
    keyscenes.frozen_boots(witness, 400, 1, 70)
    keyscenes.frozen_boots(witness, 400, 31, 70)
    # Ceilings and pool are the old ones each time: the generator alone keeps the boots apart.
    keyscenes.image_put_back(witness, IMAGES, 200)
    for seed in range(MIXES):
        keyscenes.Mix(witness, seed).lives(LIVES)
    say(witness, time.process_time() - started_s, record_property)
    assert witness.sealed >= SEALINGS
    assert witness.put_back >= IMAGES
    assert witness.messages >= 2 * IMAGES
    assert witness.cuts >= 1000
    assert witness.faults >= 2000
