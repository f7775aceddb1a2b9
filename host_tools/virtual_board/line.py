"""What a bad serial line does to bytes: drops them, garbles them, lets few through per second, breaks off after some.

Pure: bytes in, bytes out, no port and no clock of its own. It never invents a byte that was not sent.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import Literal, get_args

from host_tools.errors import UsageError

Direction = Literal["in", "out"]  # as the board sees it
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
BURST_S = 0.02  # a slow line hands on what came in so long at once


@dataclass
class _Way:
    """One direction. drop, garble: how many of the next bytes; rates: how likely for any byte, 0 to 1."""

    drop: int = 0
    drop_rate: float = 0.0
    garble: int = 0
    garble_rate: float = 0.0
    bytes_per_s: int = 0  # 0: as fast as can be
    cut_after: int | None = None


@dataclass(frozen=True)
class Passed:
    """What arrives of some bytes, and whether the cable is out behind them."""

    data: bytes
    cut: bool


class LineFaults:
    """The faults of one line, both ways. Calls may come from any thread."""

    def __init__(self, seed: int = 0) -> None:
        self._ways: dict[Direction, _Way] = {way: _Way() for way in DIRECTIONS}
        self._dice = random.Random(seed)
        self._lock = threading.Lock()

    def clear(self) -> None:
        """A sound line again."""
        with self._lock:
            self._ways = {way: _Way() for way in DIRECTIONS}

    def drop(self, direction: Direction, count: int = 0, rate: float = 0.0) -> None:
        """Loses the next `count` bytes, and any byte with probability `rate`. Errors: UsageError, as `_check`."""
        _check(count, rate)
        with self._lock:
            self._ways[direction].drop, self._ways[direction].drop_rate = count, rate

    def garble(self, direction: Direction, count: int = 0, rate: float = 0.0) -> None:
        """Changes the next `count` bytes, and any byte with probability `rate`. Errors: UsageError, as `_check`."""
        _check(count, rate)
        with self._lock:
            self._ways[direction].garble, self._ways[direction].garble_rate = count, rate

    def slow(self, direction: Direction, bytes_per_s: int) -> None:
        """Lets so many bytes a second through; 0: as fast as can be."""
        _check(bytes_per_s, 0.0)
        with self._lock:
            self._ways[direction].bytes_per_s = bytes_per_s

    def cut(self, direction: Direction, after_bytes: int) -> None:
        """Pulls the cable once so many more bytes have come through."""
        _check(after_bytes, 0.0)
        with self._lock:
            self._ways[direction].cut_after = after_bytes

    def share(self, direction: Direction, n: int) -> tuple[int, float]:
        """How many of n waiting bytes go at once, and how long (seconds) the line is then busy with them."""
        per_s = self._ways[direction].bytes_per_s
        if not per_s:
            return n, 0.0
        share = min(n, max(1, int(per_s * BURST_S)))
        return share, share / per_s

    def carry(self, direction: Direction, data: bytes) -> Passed:
        """What comes out of the line for `data` put into it."""
        with self._lock:
            way = self._ways[direction]
            cut = way.cut_after is not None and len(data) >= way.cut_after
            if way.cut_after is not None:
                data = data[: way.cut_after]
                way.cut_after = None if cut else way.cut_after - len(data)
            if way.drop or way.drop_rate:
                data = self._dropped(way, data)
            if way.garble or way.garble_rate:
                data = self._garbled(way, data)
            return Passed(data, cut)

    def _dropped(self, way: _Way, data: bytes) -> bytes:
        lost = min(way.drop, len(data))
        way.drop -= lost
        return bytes(byte for byte in data[lost:] if self._dice.random() >= way.drop_rate)

    def _garbled(self, way: _Way, data: bytes) -> bytes:
        hit = min(way.garble, len(data))
        way.garble -= hit
        return bytes(
            byte ^ self._dice.randrange(1, 256) if at < hit or self._dice.random() < way.garble_rate else byte
            for at, byte in enumerate(data)
        )


def _check(count: int, rate: float) -> None:
    if count < 0 or not 0.0 <= rate <= 1.0:
        raise UsageError("a fault's count is 0 or more, its rate from 0 to 1")
