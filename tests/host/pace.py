"""Bars on time that hold on a busy or slow machine too: what is timed stands beside something timed in the same run.

A bar is given in seconds of the machine that the documents speak of, at rest. Where it is missed, this machine starts
the command line some times, and the bar grows by as many times as that takes longer here than it took there.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

START_S = 0.25  # `import host_tools.cli` in a new process on that machine
STARTS = 5  # the slowest of them counts
TRIES = 3


def took_s(action: Callable[[], object]) -> float:
    """How long an action takes, in seconds."""
    began_s = time.monotonic()
    action()
    return time.monotonic() - began_s


def start() -> None:
    subprocess.run([sys.executable, "-c", "import host_tools.cli"], check=True)


class Pace:
    """Times one stretch of a test: `with Pace() as pace: ...`, then `assert pace.under(bar_s), pace`.

    took_s is what the stretch took, in seconds.
    """

    def __init__(self) -> None:
        self.took_s = 0.0
        self.slower = 1.0

    def __enter__(self) -> Pace:
        self._began_s = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.took_s = time.monotonic() - self._began_s

    def under(self, bar_s: float) -> bool:
        """Whether the stretch took less than a bar, in seconds, at this machine's pace."""
        if self.took_s >= bar_s:
            self.slower = max(1.0, max(took_s(start) for _ in range(STARTS)) / START_S)
        return self.took_s < bar_s * self.slower

    def __repr__(self) -> str:
        return f"{self.took_s:.2f} s where a start takes {self.slower:.2f} times as long"


def quick(action: Callable[[], object], bar_s: float) -> bool:
    """Whether an action that may be done again takes less than a bar, in seconds: the fastest of a few counts, since
    what else the machine does comes and goes."""
    for _ in range(TRIES):
        with Pace() as pace:
            action()
        if pace.under(bar_s):
            return True
    return False
