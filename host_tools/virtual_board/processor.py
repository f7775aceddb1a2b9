"""One life of a virtual board's processor: a Node process with the VM, from a reset to the next.

Must never outlive its board: kill() ends it from any thread, whatever it does.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from host_tools.firmware_build import compile_source
from host_tools.nodejs import node, vm_module
from host_tools.virtual_board.calls import VERSION, HostCalls
from host_tools.virtual_board.hardware import Hardware
from host_tools.vm.frames import pack_path
from host_tools.vm.process import NodeProcess, VmError

SCRIPT = Path(__file__).with_name("board.mjs")
STANDINS = Path(__file__).resolve().parents[1] / "standins"
IMPORT_PATH = ["/standins/board", "/standins/vm", "/standins"]
HEAP_KIB = 128
START_TIMEOUT_S = 30.0


class Gone(Exception):
    """The process has ended: killed, or broken down."""


@cache
def standins() -> dict[str, bytes]:
    """The stand-ins as bytecode: path in the VM -> content. By the @ line.mjs knows them in a traceback."""
    return {
        f"/standins/{path.relative_to(STANDINS).with_suffix('.mpy').as_posix()}": compile_source(
            path.read_bytes(), f"@{path.name}"
        )
        for path in sorted(STANDINS.rglob("*.py"))
    }


class Processor:
    """calls answers what the VM asks for; output gets what it prints."""

    def __init__(
        self, hardware: Hardware, elapsed_ms: int, calls: HostCalls, output: Callable[[bytes], None]
    ) -> None:
        settings = {
            "heap_kib": HEAP_KIB,
            "elapsed_ms": elapsed_ms,
            "speed": hardware.speed,
            "world_folder": str(hardware.world_folder or ""),
            "banner": f"MicroPython {VERSION}; {hardware.machine}",
        }
        self.calls = calls
        self._output = output
        self._turn = 0  # requests so far, modulo 256: so that a Ctrl-C never hits a later one
        reader, self._pipe = os.pipe()
        try:
            command: list[str | Path] = [node(), SCRIPT, vm_module(), json.dumps(settings), str(reader)]
            self._process = NodeProcess(command, pass_fds=(reader,))
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(reader)

    def start(self) -> None:
        """Brings up the port's modules and the file system. Errors: Gone, and what `calls` raises."""
        with self._process.deadline(START_TIMEOUT_S):
            if self._process.read() != ("H", b""):
                raise Gone
            for path, content in standins().items():
                self.request("P", pack_path(path, content))
        self.request("S", json.dumps(IMPORT_PATH).encode())

    def run(self, path: str) -> int:
        """Runs a file of the board, if it is there -> as MicroPython's pyexec.h has it."""
        return int(self.request("F", path.encode())["value"])

    def request(self, kind: str, payload: bytes) -> dict[str, Any]:
        """Has the VM do something -> its answer. Errors: Gone, and what `calls` raises."""
        self._turn = (self._turn + 1) & 0xFF
        self._process.write(kind, payload)
        while (frame := self._process.read()) is not None:
            name, data = frame
            if name == "O":
                self._output(data)
            elif name == "C":
                result, answer = self.calls.call(data)
                self._process.write("A", result.to_bytes(4, "big", signed=True) + answer)
            else:
                answered: dict[str, Any] = json.loads(data)
                if answered["error"]:
                    # The board's own code failed, not the user's: that ends at the prompt.
                    raise VmError(f"the virtual board's start failed:\n{answered['error']}")
                return answered
        raise Gone

    def interrupt(self) -> None:
        """Ctrl-C for the code that runs; from any thread."""
        # The process may end at this very moment, and its pipe with it.
        with contextlib.suppress(OSError):
            os.write(self._pipe, bytes([self._turn]))

    def kill(self) -> None:
        """Ends the process at once; from any thread."""
        self._process.kill()
        self.calls.sockets.abort()

    def end(self) -> VmError:
        """Takes the process away -> what it said last."""
        self.kill()
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)
        self._process.close()
        self.calls.sockets.close()
        return self._process.obituary()
