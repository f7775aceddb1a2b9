"""Whole days of virtual nodes for the promises' tests: the real runner, VM and broker, with every byte that a node
writes or sends kept, and all that is random made repeatable."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, replace
from typing import Any

import pytest

from host_tools import boards
from host_tools.policy.profile import load_profile
from host_tools.simulate import runner
from host_tools.simulate.recordings import NmeaLog, Series, Surroundings, Track
from host_tools.vm import Vm
from plumveil import wire

START_S = 1769904000  # 2026-02-01T00:00:00Z
HOURS = 8


@dataclass(frozen=True)
class Place:
    """A place and what else the receiver says there: degrees, metres, knots, degrees."""

    lat_deg: float
    lon_deg: float
    altitude_m: float
    speed_kn: float
    course_deg: float


@dataclass(frozen=True)
class Marked(Surroundings):
    """Surroundings with more said about the hardware: see the stand-in world's spec."""

    hardware: tuple[tuple[str, Any], ...] = ()

    def files(self, board: boards.Board) -> dict[str, bytes]:
        files = super().files(board)
        spec = json.loads(files["world.json"]) | dict(self.hardware)
        return files | {"world.json": json.dumps(spec).encode()}


@dataclass(frozen=True)
class Lived:
    """What came of a node's day: everything written to flash, sent, printed; its drops; and its messages."""

    flash: list[tuple[str, bytes]]
    sent: list[bytes]
    output: str
    run: runner.NodeRun


def angle(degrees: float, digits: int) -> str:
    """[d]ddmm.mmmmm, unsigned."""
    e5 = round(abs(degrees) * 6_000_000)
    return f"{e5 // 6_000_000:0{digits}d}{e5 % 6_000_000 // 100_000:02d}.{e5 % 100_000:05d}"


def sentence(body: str) -> bytes:
    """NMEA 0183 framing."""
    check = 0
    for byte in body.encode():
        check ^= byte
    return f"${body}*{check:02X}\r\n".encode()


def receiver(places: list[Place], hours: int = HOURS) -> NmeaLog:
    """A receiver at each place for the same time in turn, RMC and GGA every second."""
    data, index = bytearray(), []
    for second in range(hours * 3600):
        at = places[second * len(places) // (hours * 3600)]
        clock = f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}.00"
        north, east = "N" if at.lat_deg >= 0 else "S", "E" if at.lon_deg >= 0 else "W"
        where = f"{angle(at.lat_deg, 2)},{north},{angle(at.lon_deg, 3)},{east}"
        index.append((START_S + second, len(data)))
        data += sentence(f"GPRMC,{clock},A,{where},{at.speed_kn:.2f},{at.course_deg:.2f},010226,,,A")
        data += sentence(f"GPGGA,{clock},{where},1,11,0.87,{at.altitude_m:.1f},M,47.6,M,,")
    track = Track(tuple(time_s for time_s, _ in index), (), ())
    return NmeaLog(bytes(data), tuple(index), track)


def day(nmea: NmeaLog | None, hours: int = HOURS, **hardware: Any) -> Marked:
    """A quiet day around a node."""
    steady = Series((START_S,), (4_870,))
    humidity, battery = Series((START_S,), (45_130,)), Series((START_S,), (4_010,))
    end_s = START_S + hours * 3600
    return Marked(START_S, end_s, steady, humidity, battery, nmea=nmea, hardware=tuple(hardware.items()))


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Any:
    """live(surroundings, tier, fields=None) -> Lived: runs the day; same arguments, same keys and randomness."""
    vms: list[tuple[Vm, list[str]]] = []

    def recording_vm(**options: Any) -> Vm:
        printed: list[str] = []
        vm = Vm(**options, seed="one day", on_output=printed.append)
        vms.append((vm, printed))
        return vm

    def drawn(n: int) -> bytes:
        drawn.count += 1  # type: ignore[attr-defined]
        return hashlib.sha256(b"secret %d" % drawn.count).digest()[:n]  # type: ignore[attr-defined]

    monkeypatch.setattr(runner, "Vm", recording_vm)
    monkeypatch.setattr(secrets, "token_bytes", drawn)

    def run(surroundings: Surroundings, tier: int, fields: dict[str, int] | None = None) -> Lived:
        drawn.count = 0  # type: ignore[attr-defined]
        profile = load_profile("general")
        if fields is not None:
            profile = profile.with_fields(fields)
        spec = runner.NodeSpec("node", boards.load("virtual"), profile, tier, surroundings)
        (ran,) = runner.simulate([spec], lambda *_: None)
        vm, printed = vms[-1]
        return Lived(vm.flash_writes, vm.sent, "".join(printed), ran)

    return run


def without_gps(surroundings: Marked) -> Marked:
    """The same day with a silent receiver."""
    return replace(surroundings, nmea=None)


TIER = {name: index for index, (name, _) in enumerate(wire.TIERS)}
