"""What one flashing is asked for, and how far it is: for the parts that do it. Does nothing of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from host_tools.boards import Board
from host_tools.flashing.provisioning import Wanted
from host_tools.flashing.show import Show, Step
from host_tools.transports import Tool

STEPS = ("compile", "micropython", "compare", "copy", "verify", "switch", "provision", "self-test", "start")


@dataclass(frozen=True)
class Task:
    """What is to be done. board: None: the generic one of the chip on the line. micropython: file, base.STANDIN or
    None; wanted: None: no keys and no configuration are given. is_virtual: the port is a virtual board's."""

    port: str
    board: Board | None
    tool: Tool
    micropython: str | None
    wanted: Wanted | None
    is_virtual: bool
    rekey: bool


@dataclass
class Run:
    """One flashing under way. done: step -> what came of it."""

    task: Task
    show: Show
    done: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Shows a step and keeps what came of it."""
        with self.show.step(name) as step:
            yield step
            self.done[name] = step.told or "done"
