"""What the VM of a virtual board asks of its host: the disk, the flash chip, time, memory that outlives a reset.

A request is [operation u8][number i32][argument i32][bytes], its answer (result or negative errno, bytes). Must never
answer once the chip has reset or the supply has gone: the VM's process is ended then, in the middle of its call.
"""

from __future__ import annotations

import functools
import itertools
import json
import threading
from collections.abc import Callable
from typing import Any, Protocol

from host_tools.errors import PlumveilError
from host_tools.virtual_board.disk import EBADF, EINVAL, EIO, Answer, Disk
from host_tools.virtual_board.hardware import Cause, Hardware, Memory
from host_tools.virtual_board.outside import Outside
from host_tools.virtual_board.timing import Waiting, Watchdog
from host_tools.vm.sockets import Sockets

BALLAST = "/ballast"
CTRL_C = 3
STDIN_POLL_S = 0.005
SOCKET_OPERATIONS = frozenset("otsrlc")
RELEASE = "1.28.0"
VERSION = f"v{RELEASE} on 2026-04-06"
Operation = Callable[[int, int, bytes], Answer]
NONE: Answer = (0, b"")


class Restarted(Exception):
    """The chip reset itself. sleep_ms: deep sleep before it; None: for ever."""

    def __init__(self, cause: Cause, sleep_ms: int | None = 0) -> None:
        super().__init__(cause.name)
        self.cause = cause
        self.sleep_ms = sleep_ms


class Line(Protocol):
    """What code that runs may read. interruptible: whether Ctrl-C is a key of its own, and no byte to read."""

    interruptible: bool

    def take(self, n: int) -> bytes:
        """Up to n bytes that came over the line, at once."""

    def has_input(self) -> bool:
        """Whether there are any."""


class HostCalls:
    """Answers the VM's requests during one life of it. faults: sensor -> kind, as ordered; changed from outside.

    Errors of `call`: Restarted, PowerCut, Stopped.
    """

    def __init__(
        self,
        hardware: Hardware,
        memory: Memory,
        cause: Cause,
        waiting: Waiting,
        watchdog: Watchdog,
        faults: dict[str, str],
        line: Line,
        outside: Outside,
    ) -> None:
        self._hardware = hardware
        self._memory = memory
        self._cause = cause
        self._waiting = waiting
        self._watchdog = watchdog
        self._faults = faults
        self._line = line
        self._outside = outside
        self._disks: dict[int, Disk] = {}
        self._lock = threading.Lock()  # the disk's: it may be filled from outside while code uses it
        self._files: dict[int, tuple[Disk, int]] = {}  # as the VM counts them -> as their disk does
        self._next_file = itertools.count(1)
        self._operation = ""
        self.sockets = Sockets(hardware.allow, record=False)
        self._operations = self._table()

    def call(self, payload: bytes) -> Answer:
        """Answers one request. Nothing that the VM's code asks for makes it raise but what ends the VM."""
        letter = chr(payload[0])
        self._operation = letter
        if letter in SOCKET_OPERATIONS:
            return self.sockets.call(payload)
        operation = self._operations.get(letter)
        if operation is None or len(payload) < 9:
            return -EINVAL, b""
        number = int.from_bytes(payload[1:5], "big", signed=True)
        argument = int.from_bytes(payload[5:9], "big", signed=True)
        try:
            return operation(number, argument, payload[9:])
        except (ValueError, UnicodeError):
            return -EINVAL, b""

    def _table(self) -> dict[str, Operation]:
        # Letters of SOCKET_OPERATIONS are taken.
        return {
            **dict.fromkeys("MFU", self._locked(self._volume)),
            **dict.fromkeys("OSLDENV", self._locked(self._path)),
            **dict.fromkeys("RGWKYX", self._locked(self._file)),
            "f": self._flash_read,
            "p": self._flash_program,
            "e": self._flash_erase,
            "b": lambda *_: (0, json.dumps(self._boot()).encode()),
            "w": self._wait,
            "i": self._input,
            "j": self._peek,
            "q": self._interrupt_key,
            "x": self._restart,
            "d": self._watch,
            "m": self._remember,
            "k": self._set_clock,
            "n": self._fault,
            "z": self._light_sleep,
            "g": lambda *_: (int(self._outside.pressed), b""),
            "u": self._note,
        }

    def fill(self, leave_bytes: int) -> None:
        """Writes a file until about that much is free; from any thread. Errors: PlumveilError without a disk."""
        with self._lock:
            disk = self._mounted()
            _done(disk.do(functools.partial(disk.fill, BALLAST, leave_bytes)))

    def empty(self) -> None:
        """Takes that file away again; from any thread. Errors: PlumveilError without a disk, or without it."""
        with self._lock:
            disk = self._mounted()
            _done(disk.do(functools.partial(disk.remove, BALLAST)))

    def _mounted(self) -> Disk:
        if not self._disks:
            raise PlumveilError(
                "the virtual board has no file system mounted: start it, or wait until it has started"
            )
        return next(iter(self._disks.values()))

    def _locked(self, operation: Operation) -> Operation:
        def locked(number: int, argument: int, data: bytes) -> Answer:
            with self._lock:
                return operation(number, argument, data)

        return locked

    def close_files(self) -> None:
        """What a soft reset does: MicroPython closes every file that code left open. Errors: PowerCut."""
        for disk, file in self._files.values():
            disk.do(functools.partial(disk.close, file))
        self._files.clear()

    def _boot(self) -> dict[str, Any]:
        hardware, memory = self._hardware, self._memory
        names = {"platform": "esp32", "release": RELEASE, "version": VERSION}
        names |= {"machine": hardware.machine, "build": hardware.build}
        spec = {
            **hardware.world,
            "start_unix_s": memory.start_unix_s,
            "reset_cause": int(self._cause),
            "rtc_memory": memory.rtc.hex(),
            "mac": hardware.mac.hex(),
            "flash_bytes": hardware.flash.size_bytes,
            "names": names,
        }
        return {
            "spec": spec,
            "booted_ms": memory.booted_ms,
            # As text: a number this large would lose its last digits on its way through JavaScript.
            "clock_unix_ms": str(memory.clock_ms()),
            "regions": [list(region) for region in hardware.partitions()],
            "running": hardware.running(),
        }

    def _volume(self, number: int, argument: int, _data: bytes) -> Answer:
        """M, F, U: mounts, formats, unmounts the region at `number` of `argument` bytes."""
        if self._operation == "U":
            self._disks.pop(number, None)
            return NONE
        disk = Disk(self._hardware.flash, number, argument)
        if self._operation == "F":
            return disk.do(disk.format)
        answer = disk.do(disk.mount)
        if answer[0] == 0:
            self._disks[number] = disk
        return answer

    def _path(self, number: int, argument: int, data: bytes) -> Answer:
        disk = self._disks.get(number)
        if disk is None:
            return -EIO, b""
        path = data.decode()
        operations: dict[str, Callable[[], Answer]] = {
            "O": lambda: disk.open(path, argument),
            "S": lambda: disk.stat(path),
            "L": lambda: disk.list(path),
            "D": lambda: disk.mkdir(path),
            "E": lambda: disk.remove(path),
            "N": lambda: disk.rename(path[:argument], path[argument:]),
            "V": disk.statvfs,
        }
        answer = disk.do(operations[self._operation])
        if self._operation == "O" and answer[0] > 0:
            file = next(self._next_file)
            self._files[file] = (disk, answer[0])
            return file, b""
        return answer

    def _file(self, number: int, argument: int, data: bytes) -> Answer:
        if number not in self._files:
            return -EBADF, b""
        disk, file = self._files[number]
        operations: dict[str, Callable[[], Answer]] = {
            "R": lambda: disk.read(file, argument),
            "G": lambda: disk.line(file, argument),
            "W": lambda: disk.write(file, data),
            "K": lambda: disk.seek(file, argument, int(data)),
            "Y": lambda: disk.sync(file),
            "X": lambda: disk.close(file),
        }
        if self._operation == "X":
            del self._files[number]
        return disk.do(operations[self._operation])

    def _flash_read(self, at: int, count: int, _data: bytes) -> Answer:
        data = self._hardware.flash.read(at, count)
        return len(data), data

    def _flash_program(self, at: int, _argument: int, data: bytes) -> Answer:
        self._hardware.flash.program(at, data)
        return NONE

    def _flash_erase(self, at: int, count: int, _data: bytes) -> Answer:
        self._hardware.flash.erase(at, count)
        return NONE

    def _wait(self, ms: int, _argument: int, _data: bytes) -> Answer:
        """-> 1 when Ctrl-C ended it."""
        return int(self._waiting.wait(ms / 1000 / self._hardware.speed)), b""

    def _light_sleep(self, ms: int, by_button: int, _data: bytes) -> Answer:
        self._outside.sleep(self._waiting, ms / 1000 / self._hardware.speed, by_button)
        return NONE

    def _note(self, value: int, _argument: int, name: bytes) -> Answer:
        self._outside.note(name.decode(), value)
        return NONE

    def _input(self, count: int, _argument: int, _data: bytes) -> Answer:
        """Waits for bytes of the line -> how many; 0 when Ctrl-C came instead."""
        while not (data := self._line.take(count)):
            if self._waiting.wait(STDIN_POLL_S):
                return NONE
        return len(data), data

    def _peek(self, _number: int, _argument: int, _data: bytes) -> Answer:
        """-> 1 when there is something to read, 0 when nothing came within a moment."""
        if not self._line.has_input():
            self._waiting.wait(STDIN_POLL_S, deaf=True)
        return int(self._line.has_input()), b""

    def _interrupt_key(self, key: int, _argument: int, _data: bytes) -> Answer:
        self._line.interruptible = key == CTRL_C
        return NONE

    def _restart(self, cause: int, sleep_ms: int, _data: bytes) -> Answer:
        raise Restarted(Cause(cause), None if sleep_ms < 0 else sleep_ms)

    def _watch(self, timeout_ms: int, _argument: int, _data: bytes) -> Answer:
        self._watchdog.feed(timeout_ms / 1000 / self._hardware.speed)
        return NONE

    def _remember(self, _number: int, _argument: int, data: bytes) -> Answer:
        self._memory.rtc = bytes.fromhex(data.decode())
        return NONE

    def _set_clock(self, _number: int, _argument: int, data: bytes) -> Answer:
        self._memory.set_clock(int(data))
        return NONE

    def _fault(self, _number: int, _argument: int, data: bytes) -> Answer:
        kind = self._faults.get(data.decode(), "").encode()
        return len(kind), kind


def _done(answer: Answer) -> None:
    if answer[0] < 0:
        raise PlumveilError(f"the virtual board's disk refused {BALLAST}: LittleFS error {answer[0]}")
