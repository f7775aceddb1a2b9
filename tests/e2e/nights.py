"""A virtual node from nine in the evening over midnight, with all four streams busy in every hour; what it did, and
its VM."""

from __future__ import annotations

from typing import Any

from host_tools import boards
from host_tools.policy.profile import load_profile
from host_tools.simulate import runner
from host_tools.simulate.recordings import Series
from host_tools.vm import Vm
from tests.e2e.days import START_S, TIER, Marked, Place, receiver

BEGIN_S = START_S + 21 * 3600
HOURS = 6
OFTEN = {"device_s": 3600, "batch_max": 4}


def moving_and_warm(hours: int = HOURS, **hardware: Any) -> Marked:
    """A new cell every half hour, and twenty minutes too warm in every hour, which raises an alarm."""
    places = [Place(49.0 + 0.1 * n, 12.0, 350.0, 1.0, 1.0) for n in range(2 * hours)]
    warm_ups = [(hour * 3600 + s, milli) for hour in range(hours) for s, milli in ((900, 9500), (2100, 4870))]
    times_s = (BEGIN_S, *(BEGIN_S + after_s for after_s, _ in warm_ups))
    warm = Series(times_s, (4870, *(milli for _, milli in warm_ups)))
    steady = Series((BEGIN_S,), (45_130,)), Series((BEGIN_S,), (4_010,))
    nmea = receiver(places, hours).shifted(BEGIN_S - START_S)
    end_s = BEGIN_S + hours * 3600
    return Marked(BEGIN_S, end_s, warm, *steady, nmea=nmea, hardware=tuple(hardware.items()))


def live(monkeypatch: Any, vm_class: type[Vm], surroundings: Marked, **options: Any) -> tuple[Any, runner.NodeRun]:
    """Runs the node in a VM of this class -> the VM, closed, and the run. options: for the VM."""
    made: list[Vm] = []

    def vm(**others: Any) -> Vm:
        made.append(vm_class(**others, **options, seed="one night"))
        return made[-1]

    monkeypatch.setattr(runner, "Vm", vm)
    profile = load_profile("general").model_copy(update=OFTEN)
    spec = runner.NodeSpec("node", boards.load("virtual"), profile, TIER["area"], surroundings)
    (ran,) = runner.simulate([spec], lambda *_: None)
    return made[-1], ran
