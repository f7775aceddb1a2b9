"""The Vm class: one MicroPython VM in a Node process of its own, driven over pipes.

Records every byte that the VM writes to its flash or to a socket. Must never wait without a bound: a VM that hangs is
killed and said so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from host_tools.firmware_build import compile_firmware, compile_tree
from host_tools.nodejs import node, vm_module
from host_tools.vm.frames import pack_path, unpack_path
from host_tools.vm.process import NodeProcess, VmError
from host_tools.vm.sockets import Sockets, Traffic

SCRIPT = Path(__file__).with_name("run.mjs")
STANDINS = Path(__file__).resolve().parents[1] / "standins"
DEFAULT_TIMEOUT_S = 120.0
OUTPUT_MAX_BYTES = 64 * 1024 * 1024

# A board has none of the VM's frozen modules (hmac, abc, unittest, ...): the firmware must not find them here either.
# The world is a plain one until the caller sets up another.
_BOOTSTRAP = """
import sys
sys.path[:] = ["/standins/vm", "/standins", "", "/lib"]
import world
if world.current is None:
    world.reset({}, {})
"""

FrameHook = Callable[[str, bytes], None]


@dataclass(frozen=True)
class RunResult:
    """How a piece of code ended.

    ok: it ran to its end, or left with SystemExit and no error code. exited: it left with SystemExit. output: all it
    printed. error: the VM's traceback, empty if there was none. error_type: the exception's name.
    """

    ok: bool
    output: str
    error: str = ""
    error_type: str = ""
    exited: bool = False


class Vm:
    """A context manager around one VM; several may run at once, each used by one thread at a time.

    heap_kib: size of the first piece of the heap (it grows). allow: (host, port) of the brokers that the VM may
    reach, nothing else can be. on_output gets printed text line by line, on_progress what the stand-ins report.
    timeout_s: longest that one request may take. seed: makes all randomness in the VM repeatable. firmware, standins:
    whether to put the compiled firmware at /lib and the stand-ins at /standins.
    """

    def __init__(
        self,
        *,
        heap_kib: int = 128,
        allow: Iterable[tuple[str, int]] = (),
        on_output: Callable[[str], None] | None = None,
        on_progress: Callable[[str], None] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        seed: str | None = None,
        firmware: bool = True,
        standins: bool = True,
    ) -> None:
        self._heap_kib = heap_kib
        self._on_output = on_output
        self._on_progress = on_progress
        self._timeout_s = timeout_s
        self._seed = seed
        self._with_firmware = firmware
        self._with_standins = standins
        self._sockets = Sockets(frozenset(allow))
        self._process: NodeProcess | None = None
        self.flash_writes: list[tuple[str, bytes]] = []

    @property
    def traffic(self) -> list[Traffic]:
        """Every piece of data that passed a socket, in order, with direction and port; as it was before TLS."""
        return self._sockets.traffic

    @property
    def sent(self) -> list[bytes]:
        """Every piece of data that the VM wrote to a socket, before TLS."""
        return [piece.data for piece in self._sockets.traffic if piece.direction == "out"]

    @property
    def refused(self) -> list[tuple[str, int]]:
        """(host, port) of connections that the VM tried and was not allowed to make."""
        return self._sockets.refused

    def __enter__(self) -> Self:
        if self._process is not None:
            raise VmError("the VM is running already")
        # Compiled before the process starts, so that a syntax error leaves nothing running.
        files = {f"/lib/{name}": data for name, data in (compile_firmware() if self._with_firmware else {}).items()}
        if self._with_standins:
            files.update({f"/standins/{name}": data for name, data in compile_tree(STANDINS).items()})
        self._start()
        try:
            for path, data in files.items():
                self.put(path, data)
            self._bootstrap()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, path: str, data: bytes) -> None:
        """Writes a file, making its folders; not recorded in flash_writes. Errors: VmError when the VM has gone."""
        self._request("P", pack_path(path, data))

    def get(self, path: str) -> bytes | None:
        """A file's content, or None when there is no such file."""
        return dict(self._files("G", path)).get(path)

    def tree(self, path: str) -> dict[str, bytes]:
        """Every file under a folder: full path -> content; empty when there is no such folder."""
        return dict(self._files("T", path))

    def run(self, code: str, on_frame: FrameHook | None = None, timeout_s: float | None = None) -> RunResult:
        """Runs Python source in the VM's __main__. A Python exception is a result; VmError means the VM has gone.

        on_frame gets (kind, bytes) of what happens meanwhile: "output", "progress", "flash" (path and content, see
        frames.unpack_path). The VM collects no garbage before this ends: for anything long use `loop`.
        """
        return self._request("R", code.encode(), on_frame, timeout_s)

    def loop(self, function: str, on_frame: FrameHook | None = None, timeout_s: float | None = None) -> RunResult:
        """Calls a function of the VM's __main__ again and again until it returns something false or raises.

        The VM collects garbage between the calls, as it cannot inside of one.
        """
        return self._request("L", function.encode(), on_frame, timeout_s)

    def close(self) -> None:
        """Ends the VM's process; may be called more than once."""
        process, self._process = self._process, None
        self._sockets.close()
        if process is not None:
            process.close()

    def _bootstrap(self) -> None:
        if self._with_standins:
            result = self.run(_BOOTSTRAP)
            if not result.ok:
                raise VmError(f"the VM's start-up failed:\n{result.error}")

    def _start(self) -> None:
        process = NodeProcess([node(), SCRIPT, vm_module(), str(self._heap_kib), self._seed or ""])
        self._process = process
        with process.deadline(self._timeout_s):
            ready = process.read() == ("H", b"")
        if not ready:
            raise self._gone(process)

    def _gone(self, process: NodeProcess) -> VmError:
        self.close()
        return process.obituary()

    def _running(self) -> NodeProcess:
        if self._process is None:
            raise VmError("the VM is not running")
        return self._process

    def _request(
        self, kind: str, payload: bytes, on_frame: FrameHook | None = None, timeout_s: float | None = None
    ) -> RunResult:
        output: list[bytes] = []
        ended = b""
        for name, data in self._exchange(kind, payload, timeout_s or self._timeout_s):
            if name == "done":
                ended = data
            elif name == "output":
                output.append(data)
            if on_frame is not None and name != "done":
                on_frame(name, data)
        return _result(ended, b"".join(output))

    def _files(self, kind: str, path: str) -> Iterator[tuple[str, bytes]]:
        for name, data in self._exchange(kind, path.encode(), self._timeout_s):
            if name == "file":
                yield unpack_path(data)

    def _exchange(self, kind: str, payload: bytes, timeout_s: float) -> Iterator[tuple[str, bytes]]:
        """Sends a request and yields what comes back; the last is ("done", JSON). Errors: VmError."""
        process = self._running()
        printed_bytes = 0
        name = ""
        try:
            with process.deadline(timeout_s):
                process.write(kind, payload)
                while name != "done" and (frame := process.read()) is not None:
                    name, data = self._take(process, *frame)
                    printed_bytes += len(data) if name == "output" else 0
                    if printed_bytes > OUTPUT_MAX_BYTES:
                        raise VmError(f"the VM printed more than {OUTPUT_MAX_BYTES} bytes and was stopped")
                    if name:
                        yield name, data
        finally:
            # Also when a callback raised: what the VM still has to say would be taken for the next answer.
            if name != "done":
                process.kill()
        if name != "done":
            raise self._gone(process)

    def _take(self, process: NodeProcess, kind: str, data: bytes) -> tuple[str, bytes]:
        """Handles one frame of the VM -> what to pass on, as (name, bytes); name is empty when there is nothing."""
        if kind == "C":
            result, answer = self._sockets.call(data)
            process.write("A", result.to_bytes(4, "big", signed=True) + answer)
            return "", b""
        if kind == "W":
            self.flash_writes.append(unpack_path(data))
            return "flash", data
        if kind == "O":
            if self._on_output is not None:
                self._on_output(data.decode(errors="replace"))
            return "output", data
        if kind == "N":
            if self._on_progress is not None:
                self._on_progress(data.decode(errors="replace"))
            return "progress", data
        return {"F": "file", "D": "done"}[kind], data


def _result(data: bytes, output: bytes) -> RunResult:
    ended = json.loads(data)
    error, kind = str(ended["error"]), str(ended["type"])
    text = output.decode(errors="replace")
    if kind != "SystemExit":
        return RunResult(not error, text, error, kind)
    code = error.rstrip().rpartition("SystemExit:")[2].strip()
    ok = code in ("", "0", "None")
    return RunResult(ok, text, "" if ok else error, "" if ok else kind, exited=True)
