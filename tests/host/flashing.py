"""Flashing in tests: two versions of the firmware, the engine in this process, what a board's flash would boot."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from unittest import mock

from host_tools import boards, firmware_build
from host_tools.errors import PlumveilError
from host_tools.firmware_source import FIRMWARE, KEPT_AS_SOURCE, module_for_node
from host_tools.flashing import engine
from host_tools.flashing.receipt import Receipt
from host_tools.flashing.show import Lines, Step
from host_tools.flashing.task import Task
from host_tools.virtual_board.running import RunningBoard
from plumveil import wire

Files = dict[str, bytes]
FILLER_BYTES = 4000
POLL_S = 0.05
START_S = 60.0


def first_version() -> Files:
    """The firmware as it is."""
    return firmware_build.compile_firmware()


def other_version(n: int) -> Files:
    """Another one: both root files, one module, and a module more, of which no two versions have the same."""
    files = first_version()
    for name in KEPT_AS_SOURCE:
        files[name] += f"# {n}\n".encode()
    rest = (FIRMWARE / "plumveil" / "rest.py").read_text("utf-8") + f"\nVERSION = {n}\n"
    changed = module_for_node("plumveil/rest.py", rest).encode()
    files["plumveil/rest.mpy"] = firmware_build.compile_source(changed, "plumveil/rest.py")
    filler = random.Random(n).randbytes(FILLER_BYTES // 2).hex()
    files["plumveil/filler.mpy"] = firmware_build.compile_source(
        f"DATA = {filler!r}\n".encode(), "plumveil/filler.py"
    )
    return files


def broken_version(module: str, source: str) -> Files:
    """The firmware with one module that does not work."""
    files = first_version()
    name = f"plumveil/{module}.py"
    broken = module_for_node(name, source).encode()
    files[f"plumveil/{module}.mpy"] = firmware_build.compile_source(broken, name)
    return files


@contextlib.contextmanager
def version(files: Files) -> Iterator[None]:
    """What is flashed inside the block."""
    with mock.patch.object(firmware_build, "compile_firmware", return_value=files):
        yield


def task(on: RunningBoard, **changes: object) -> Task:
    """What `plumveil flash --port` asks for."""
    given: dict[str, object] = {
        "port": on.port,
        "board": boards.load("virtual"),
        "tool": "mpremote",
        "micropython": None,
        "wanted": None,
        "is_virtual": True,
        "rekey": False,
    }
    return Task(**(given | changes))  # type: ignore[arg-type]


class AtStep(Lines):
    """Does something as a step begins."""

    def __init__(self, name: str, what: object) -> None:
        self._name, self._what = name, what

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        with super().step(name) as step:
            if name == self._name and callable(self._what):
                self._what()
            yield step


def flash(on: RunningBoard, files: Files, show: Lines | None = None, **changes: object) -> Receipt:
    with version(files):
        return engine.flash(task(on, **changes), show or Lines())


def bootable(disk: Files) -> list[Files]:
    """The versions that the node may start, as boot.py chooses: what is on trial first. Each as it lies there."""
    trial, slot = disk.get(wire.FILE_TRIAL, b"").decode(), disk.get(wire.FILE_SLOT, b"").decode()
    letters = [trial[:1]] if trial[1:] >= "1" else []
    return [_slot(disk, letter) for letter in (*letters, slot[:1]) if letter]


def _slot(disk: Files, letter: str) -> Files:
    folder = f"{wire.FOLDER_SLOT}{letter}/"
    return {path.removeprefix(folder): data for path, data in disk.items() if path.startswith(folder)}


def package(files: Files) -> Files:
    return {name: data for name, data in files.items() if name not in KEPT_AS_SOURCE}


def assert_one_of(disk: Files, *versions: Files) -> None:
    """Whatever the board starts is a whole version, and so are its two root files."""
    whole = [package(files) for files in versions]
    found = bootable(disk)
    assert found, "the node has nothing to start"
    for one in found:
        assert one in whole
    for name in KEPT_AS_SOURCE:
        assert disk[f"/{name}"] in [files[name] for files in versions]


@contextlib.contextmanager
def unplugged_when_off(board: RunningBoard) -> Iterator[None]:
    """A board without supply takes its port with it, as one with USB of its own does: nobody waits for an answer."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(POLL_S):
            if board.status()["mode"] == "off":
                board.fault("cable-out")
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        board.fault("cable-in")


def power_back(board: RunningBoard) -> None:
    """The supply is back, whether it went or not; an ordered cut that was not reached would come later."""
    board.fault("none")
    with contextlib.suppress(PlumveilError):
        board.power_off()
    board.power_on()
    board.wait_mode("application", START_S)
