"""How the steps of flashing are shown: a progress bar each at a terminal, a line each elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

WIDTH = 12

Percent = Callable[[int], None]


class Step(Protocol):
    """One step that is under way. told: what was last said of it."""

    told: str

    def percent(self, n: int) -> None:
        """How far it is."""

    def skip(self, why: str) -> None:
        """Nothing has to be done."""

    def say(self, what: str) -> None:
        """What came of it, for the end of its line."""


class Show(Protocol):
    """Where steps are shown."""

    def step(self, name: str) -> contextlib.AbstractContextManager[Step]:
        """Opens a step; it is done when the block ends, and failed when the block raises."""


class _Line:
    def __init__(self) -> None:
        self.told = ""

    def percent(self, n: int) -> None:
        pass

    def skip(self, why: str) -> None:
        self.told = f"skipped: {why}"

    def say(self, what: str) -> None:
        self.told = what


class Lines:
    """A line a step, on standard error."""

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        line = _Line()
        try:
            yield line
        except BaseException:
            print(f"{name:<{WIDTH}} failed", file=sys.stderr, flush=True)
            raise
        print(f"{name:<{WIDTH}} {line.told or 'done'}", file=sys.stderr, flush=True)


class _Bar(_Line):
    def __init__(self, progress: Progress, task: TaskID) -> None:
        super().__init__()
        self._progress = progress
        self._task = task

    def percent(self, n: int) -> None:
        self._progress.update(self._task, completed=n)


class Bars:
    """A bar a step, at a terminal. A context manager."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.fields[name]:<" + str(WIDTH) + "}"),
            BarColumn(30),
            TextColumn("{task.fields[told]}"),
            console=Console(stderr=True),
        )

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        task = self._progress.add_task("", total=100, name=name, told="")
        bar = _Bar(self._progress, task)
        started_s = time.monotonic()
        try:
            yield bar
        except BaseException:
            self._progress.update(task, told="[red]failed[/red]")
            raise
        told = bar.told or f"done in {time.monotonic() - started_s:.1f} s"
        self._progress.update(task, completed=100, told=told)


class Rack:
    """A bar a board at a terminal, and nothing elsewhere. A context manager. steps: names, in their order."""

    def __init__(self, boards: Sequence[str], steps: Sequence[str]) -> None:
        console = Console(stderr=True)
        self._steps = steps
        self._progress = Progress(
            TextColumn("{task.fields[name]}"),
            BarColumn(30),
            TextColumn("{task.fields[told]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks = {board: self._progress.add_task("", total=len(steps), name=board, told="") for board in boards}

    def __enter__(self) -> Rack:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def teller(self, board: str) -> Callable[[str], None]:
        """Takes the lines of `Lines` as a board's process prints them."""

        def tell(line: str) -> None:
            name = line.split(maxsplit=1)[0] if line else ""
            if name in self._steps:
                done = self._steps.index(name) + 1
                self._progress.update(self._tasks[board], completed=done, told=Text(line))

        return tell
