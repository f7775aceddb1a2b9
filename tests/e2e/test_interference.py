"""P3: without consent the receiver's input changes no byte that leaves the node or reaches its flash; with consent
its cell alone does."""

from __future__ import annotations

from dataclasses import replace

from tests.e2e.days import HOURS, TIER, Lived, Place, day, live, receiver, without_gps  # noqa: F401

HERE = [Place(49.0265, 12.0652, 336.7, 0.0, 131.9), Place(49.1371, 12.1826, 351.2, 42.1, 12.3)]
ELSEWHERE = [Place(-33.8567, 151.2152, 12.0, 55.5, 300.1), Place(59.3293, 18.0686, 28.0, 0.0, 0.0)]
# The same cells, everything else different: metres away, higher, faster, another way round.
NEARBY = [replace(at, lat_deg=at.lat_deg + 4e-4, altitude_m=9.9, speed_kn=77.7, course_deg=1.1) for at in HERE]


def left(lived: Lived) -> tuple[list[tuple[str, bytes]], list[bytes]]:
    return lived.flash, lived.sent


def test_without_consent_the_receiver_changes_nothing(live) -> None:  # noqa: F811
    here = day(receiver(HERE))
    runs = [live(one, TIER["off"]) for one in (here, day(receiver(ELSEWHERE)), without_gps(here))]
    assert left(runs[0]) == left(runs[1]) == left(runs[2])
    assert len(runs[0].run.messages) > 3
    assert [run.run.receiver_bytes for run in runs] == [0, 0, 0]


def test_with_consent_only_the_cell_counts(live) -> None:  # noqa: F811
    runs = [live(day(receiver(places)), TIER["area"]) for places in (HERE, NEARBY, ELSEWHERE)]
    assert left(runs[0]) == left(runs[1])
    assert left(runs[0]) != left(runs[2])
    assert all(run.run.receiver_bytes > HOURS for run in runs)
