"""Faults to order on a running virtual board: their names, what each takes, and what each does. One table, KINDS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from host_tools.errors import UsageError
from host_tools.virtual_board.line import DIRECTIONS, Direction

if TYPE_CHECKING:
    from host_tools.virtual_board.rig import Rig

HOURS_MAX_S = 24 * 3600.0
BOTH = "both"
ABSENT = "absent"
# As the stand-in world has them (host_tools/standins/world.py, FAULTS).
SENSOR_FAULTS = {
    "sht4x": ("crc", "absent", "timeout"),
    "ds18b20": ("crc", "absent", "timeout"),
    "lis3dh": ("absent", "timeout"),
    "battery": ("absent", "timeout"),
    "gps": ("crc", "absent", "timeout"),
    "axp": ("absent", "timeout"),  # the power chip, where the board has one
}


@dataclass(frozen=True)
class Order:
    """What a fault was given; None: nothing. seconds: a duration. direction: in, out (as the board sees it), both."""

    bytes: int | None = None
    ops: int | None = None
    rate: float | None = None
    seconds: float | None = None
    direction: str | None = None
    torn: bool | None = None
    sensor: str | None = None
    how: str | None = None

    def ways(self, default: str = BOTH) -> tuple[Direction, ...]:
        """The directions that are meant."""
        wanted = self.direction or default
        return DIRECTIONS if wanted == BOTH else tuple(way for way in DIRECTIONS if way == wanted)


@dataclass(frozen=True)
class Kind:
    """One fault. needs: one of these has to be given; takes: these may be too."""

    does: str
    act: Callable[[Rig, Order], None]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


def order(rig: Rig, kind: str, values: dict[str, Any]) -> None:
    """Orders one fault. values: fields of Order. Errors: UsageError for what this fault does not take or needs."""
    found = KINDS.get(kind)
    if found is None:
        raise UsageError(f"there is no fault {kind!r}; there are: {', '.join(KINDS)}")
    given = {name: value for name, value in values.items() if value is not None}
    known = found.needs + found.takes
    for name in given:
        if name not in known:
            takes = ", ".join(f"--{name}" for name in known) or "nothing"
            raise UsageError(f"fault {kind} takes no --{name}; it takes: {takes}")
    if found.needs and not any(name in given for name in found.needs):
        raise UsageError(f"fault {kind} needs {' or '.join(f'--{name}' for name in found.needs)}")
    found.act(rig, _checked(given))


def _checked(given: dict[str, Any]) -> Order:
    for name in ("bytes", "ops"):
        if not isinstance(given.get(name, 0), int) or given.get(name, 0) < 0:
            raise UsageError(f"--{name} has to be a whole number, 0 or more")
    seconds = given.get("seconds", 0)
    if not isinstance(seconds, (int, float)) or not 0 <= seconds <= HOURS_MAX_S:
        raise UsageError(f"--seconds has to be from 0 to {HOURS_MAX_S:g}")
    if given.get("direction", BOTH) not in (*DIRECTIONS, BOTH):
        raise UsageError("--direction has to be in, out or both")
    names = {field.name for field in fields(Order)}
    return Order(**{name: value for name, value in given.items() if name in names})


def _drop(rig: Rig, wanted: Order) -> None:
    for way in wanted.ways():
        rig.line.faults.drop(way, wanted.bytes or 0, wanted.rate or 0.0)


def _garble(rig: Rig, wanted: Order) -> None:
    for way in wanted.ways():
        rig.line.faults.garble(way, wanted.bytes or 0, wanted.rate or 0.0)


def _slow(rig: Rig, wanted: Order) -> None:
    for way in wanted.ways():
        rig.line.faults.slow(way, wanted.bytes or 0)


def _cut_line(rig: Rig, wanted: Order) -> None:
    for way in wanted.ways("in"):
        rig.line.faults.cut(way, wanted.bytes or 0)


def _power_cut(rig: Rig, wanted: Order) -> None:
    rig.board.power_cut(wanted.bytes, wanted.ops, torn=bool(wanted.torn), back_s=wanted.seconds)


def _sensor_out(rig: Rig, wanted: Order) -> None:
    _sensor(rig, wanted, True)


def _sensor_in(rig: Rig, wanted: Order) -> None:
    _sensor(rig, wanted, False)


def _sensor(rig: Rig, wanted: Order, on: bool) -> None:
    fitted = (*rig.description.sensors, *(() if rig.description.gps.power == "pin" else ("axp",)))
    if wanted.sensor is None or wanted.sensor not in fitted:
        raise UsageError(f"the board has no such sensor; it has: {', '.join(fitted)}")
    how = wanted.how or ABSENT
    if how not in SENSOR_FAULTS[wanted.sensor]:
        raise UsageError(f"{wanted.sensor} can be: {', '.join(SENSOR_FAULTS[wanted.sensor])}; not {how!r}")
    rig.board.vm.order({"sensor": wanted.sensor, "kind": how, "on": on})


def _none(rig: Rig, _wanted: Order) -> None:
    rig.line.faults.clear()
    rig.board.busy(0)


KINDS = {
    "drop": Kind("loses the next bytes, or bytes by chance", _drop, ("bytes", "rate"), ("direction",)),
    "garble": Kind("changes the next bytes, or bytes by chance", _garble, ("bytes", "rate"), ("direction",)),
    "slow": Kind("lets so many bytes a second through; 0: all", _slow, ("bytes",), ("direction",)),
    "cut-line": Kind("pulls the cable after so many more bytes", _cut_line, ("bytes",), ("direction",)),
    "cable-out": Kind("pulls the cable", lambda rig, _: rig.line.pull_out()),
    "cable-in": Kind("puts the cable in again", lambda rig, _: rig.line.port.plug()),
    "power-cut": Kind(
        "cuts the supply in the middle of writing flash; --seconds: it returns after that",
        _power_cut,
        ("bytes", "ops"),
        ("torn", "seconds"),
    ),
    "power-off": Kind("cuts the supply now", lambda rig, _: rig.board.power_off()),
    "power-on": Kind("gives the supply back", lambda rig, _: rig.board.power_on()),
    "busy": Kind("makes the board deaf for a while", lambda rig, o: rig.board.busy(o.seconds or 0), ("seconds",)),
    "disk-full": Kind(
        "fills the disk but for so many bytes", lambda rig, o: rig.board.vm.fill_disk(o.bytes or 0), (), ("bytes",)
    ),
    "disk-free": Kind("takes away what filled the disk", lambda rig, _: rig.board.vm.empty_disk()),
    "sensor-out": Kind("unplugs a sensor, or damages it: --how", _sensor_out, ("sensor",), ("how",)),
    "sensor-in": Kind("plugs a sensor in again", _sensor_in, ("sensor",), ("how",)),
    "none": Kind("makes the line sound and the board listen again", _none),
}
