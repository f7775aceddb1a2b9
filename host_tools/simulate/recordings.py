"""What surrounds a simulated node: time series and receiver output, and the files the stand-ins read them from.

Raw by nature. Stays in memory, in the VM's stand-in world and in the user's own report; never in a message.
"""

from __future__ import annotations

import json
import re
import struct
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce
from operator import xor

from host_tools.boards import Board

STOP_S = 600  # the world goes on so long after the end, for the node's planned stop
I32_MIN, I32_MAX = -(2**31), 2**31 - 1


@dataclass(frozen=True)
class Series:
    """A recorded quantity: Unix seconds, ascending, and values in 1/1000 of its unit; each holds until the next."""

    times_s: tuple[int, ...]
    values_milli: tuple[int, ...]

    @property
    def start_s(self) -> int:
        return self.times_s[0]

    @property
    def end_s(self) -> int:
        return self.times_s[-1]

    def shifted(self, delta_s: int) -> Series:
        """Returns the same curve, delta_s seconds later."""
        return replace(self, times_s=tuple(time_s + delta_s for time_s in self.times_s))

    def window(self, start_s: int, end_s: int) -> Series:
        """Returns what lies in [start_s, end_s), with the value that holds at start_s moved to it."""
        first = max(bisect_right(self.times_s, start_s) - 1, 0)
        last = max(bisect_left(self.times_s, end_s), first + 1)
        times_s = (max(self.times_s[first], start_s), *self.times_s[first + 1 : last])
        return Series(times_s, self.values_milli[first:last])

    def at(self, time_s: int) -> int:
        """Returns the value that holds at time_s; before the first record, the first."""
        return self.values_milli[max(bisect_right(self.times_s, time_s) - 1, 0)]

    def pack(self, start_s: int) -> bytes:
        """Returns the stand-ins' file: repeated big-endian (u32 seconds after start, i32 milli-units)."""
        parts = []
        for time_s, value in zip(self.times_s, self.values_milli, strict=True):
            parts.append(struct.pack(">Ii", max(time_s - start_s, 0), min(max(value, I32_MIN), I32_MAX)))
        return b"".join(parts)


@dataclass(frozen=True)
class Track:
    """Where the receiver truly said it was: parallel sequences of Unix seconds and degrees."""

    times_s: tuple[int, ...]
    lat_deg: tuple[float, ...]
    lon_deg: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.times_s)

    def shifted(self, delta_s: int) -> Track:
        """Returns the same way, delta_s seconds later."""
        return replace(self, times_s=tuple(time_s + delta_s for time_s in self.times_s))

    def window(self, start_s: int, end_s: int) -> Track:
        """Returns the fixes in [start_s, end_s)."""
        first, last = bisect_left(self.times_s, start_s), bisect_left(self.times_s, end_s)
        return Track(self.times_s[first:last], self.lat_deg[first:last], self.lon_deg[first:last])


_DATED = re.compile(rb"\$..RMC,(?:[^,$*\r\n]*,){8}(\d{6}),[^$*\r\n]*\*([0-9A-Fa-f]{2})")


def _redated(data: bytes, days: int) -> bytes:
    """Receiver output with every date of RMC so many days later, its checksum as right or wrong as before."""

    def later(match: re.Match[bytes]) -> bytes:
        sentence, old = bytearray(match[0]), match[1]
        try:
            date = datetime.strptime(old.decode(), "%d%m%y") + timedelta(days)
        except (ValueError, OverflowError):
            return match[0]
        new = date.strftime("%d%m%y").encode()
        at = match.start(1) - match.start()
        sentence[at : at + 6] = new
        check = int(match[2], 16) ^ reduce(xor, old) ^ reduce(xor, new)
        return bytes(sentence[:-2]) + b"%02X" % check

    return _DATED.sub(later, data) if days else data


@dataclass(frozen=True)
class NmeaLog:
    """Receiver output as it came over the wire, with the second at which each stretch of it fell due."""

    data: bytes
    index: tuple[tuple[int, int], ...]  # (Unix seconds, byte offset), both ascending
    track: Track

    @property
    def start_s(self) -> int:
        return self.index[0][0]

    @property
    def end_s(self) -> int:
        return self.index[-1][0]

    def shifted(self, delta_s: int) -> NmeaLog:
        """Returns the same output, due delta_s seconds later, whole days of which its dates move with it: a receiver
        that is a day off is not believed."""
        index = tuple((time_s + delta_s, offset) for time_s, offset in self.index)
        return NmeaLog(_redated(self.data, round(delta_s / 86400)), index, self.track.shifted(delta_s))

    def window(self, start_s: int, end_s: int) -> NmeaLog:
        """Returns the output that falls due in [start_s, end_s); empty when there is none."""
        times_s = [time_s for time_s, _ in self.index]
        first, last = bisect_left(times_s, start_s), bisect_left(times_s, end_s)
        if first == last:
            return NmeaLog(b"", (), self.track.window(start_s, end_s))
        begin = self.index[first][1]
        end = self.index[last][1] if last < len(self.index) else len(self.data)
        index = tuple((time_s, offset - begin) for time_s, offset in self.index[first:last])
        return NmeaLog(self.data[begin:end], index, self.track.window(start_s, end_s))

    def peak_bytes_per_s(self) -> int:
        """Returns the most the receiver sent in one second."""
        ends = [*(offset for _, offset in self.index[1:]), len(self.data)]
        return max((end - offset for (_, offset), end in zip(self.index, ends, strict=True)), default=0)

    def pack_index(self, start_s: int) -> bytes:
        """Returns the stand-ins' index: repeated big-endian (u32 seconds after start, u32 byte offset)."""
        return b"".join(struct.pack(">II", max(time_s - start_s, 0), offset) for time_s, offset in self.index)


@dataclass(frozen=True)
class Surroundings:
    """All that one simulated node can sense between start_s and end_s (Unix seconds)."""

    start_s: int
    end_s: int
    temperature: Series
    humidity: Series
    battery: Series
    probe: Series | None = None  # what the probe in the load feels; None: as the air
    shocks: tuple[tuple[int, int], ...] = ()  # (Unix seconds, peak in mg)
    faults: tuple[tuple[str, str, int, int], ...] = ()  # (sensor, kind as in the stand-ins' world, Unix s from, to)
    nmea: NmeaLog | None = None
    gps_ttff_s: int = 8  # a hot start: the receiver's clock and ephemeris live on its backup supply
    noise_seed: int = 1
    notes: tuple[str, ...] = field(default=())

    def files(self, board: Board) -> dict[str, bytes]:
        """Returns the world's files for the stand-ins around this board: name -> bytes, world.json among them."""
        series = {"temperature": self.temperature, "humidity": self.humidity, "battery": self.battery}
        if "ds18b20" in board.sensors:
            series["probe_temperature"] = self.probe or self.temperature
        spec: dict[str, object] = {
            "start_unix_s": self.start_s,
            "end_unix_s": self.end_s + STOP_S,
            "sensors": list(board.sensors),
            "shocks": [[time_s - self.start_s, peak_mg] for time_s, peak_mg in self.shocks],
            "faults": [
                {"sensor": sensor, "kind": kind, "from_s": from_s - self.start_s, "to_s": to_s - self.start_s}
                for sensor, kind, from_s, to_s in self.faults
                if sensor in board.sensors
            ],
            "gps_ttff_s": self.gps_ttff_s,
            "noise_seed": self.noise_seed,
            "pins": board.pins.used(),
            "gps_baud": board.gps.baud,
            "ublox": "m8" if board.gps.receiver == "ublox" else None,
            "power_chip": None if board.gps.power == "pin" else board.gps.power,
            "battery_divider": [board.battery.numerator, board.battery.denominator],
            "sht4x_address": board.i2c.sht4x_address,
            "lis3dh_address": board.i2c.lis3dh_address,
        }
        files = {}
        for name, curve in series.items():
            spec[name] = f"{name}.bin"
            files[f"{name}.bin"] = curve.window(self.start_s, self.end_s).pack(self.start_s)
        if self.nmea is not None and "gps" in board.sensors:
            spec |= {"nmea": "nmea.bin", "nmea_index": "nmea.idx"}
            files |= {"nmea.bin": self.nmea.data, "nmea.idx": self.nmea.pack_index(self.start_s)}
        return files | {"world.json": json.dumps(spec).encode()}
