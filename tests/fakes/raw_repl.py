"""A board on a serial line without a board: a pty whose other end speaks MicroPython's REPL and runs what it is told
in the VM, on the real firmware. Raw mode and raw paste as in MicroPython's shared/runtime/pyexec.c.

A reset, soft or hard, is a fresh VM with the files of the old one.
"""

from __future__ import annotations

import os
import select
import threading
import tty

from host_tools.vm import RunResult, Vm

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = (bytes([n]) for n in range(1, 6))
CONTROLS = (CTRL_A, CTRL_B, CTRL_C, CTRL_D)
RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
FRIENDLY_BANNER = b"\r\nMicroPython v1.28.0; virtual board\r\n>>> "
PASTE_PROBE = b"\x05A\x01"
WINDOW_BYTES = 128
POLL_S = 0.05
KEPT = ("/flash", "/pv")


class Board:
    """Context manager. raw_paste: whether that mode is spoken. world: see host_tools/standins/world.py.

    sent: all bytes that came over the line; codes: what was run. mute_at: with the n-th piece of code, counted from
    0, the board falls silent: before it runs it or, with mute_after, after.
    """

    def __init__(self, *, raw_paste: bool = True, world: str = "{}", mute_at: int | None = None) -> None:
        self.raw_paste = raw_paste
        self.mute_at = mute_at
        self.mute_after = False
        self.sent = bytearray()
        self.codes: list[str] = []
        self.resets = 0
        self._world = world
        self._raw = False
        self._buffer = b""
        self._mute = False
        self._stop = threading.Event()
        self._busy = threading.Lock()

    def __enter__(self) -> Board:
        self._vm = self._boot({})
        self._master, self._slave = os.openpty()
        # Else the terminal itself would echo, as no serial line does.
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        self._vm.close()
        os.close(self._master)
        os.close(self._slave)

    def files(self) -> dict[str, bytes]:
        """Everything the board keeps over a reset; to be asked when the line is closed."""
        self.settle()
        return {path: data for folder in KEPT for path, data in self._vm.tree(folder).items()}

    def put(self, path: str, data: bytes) -> None:
        """Writes a file onto the board, when the line is closed."""
        self.settle()
        self._vm.put(path, data)

    def run(self, code: str) -> RunResult:
        """Runs code on the board from the side, when the line is closed."""
        self.settle()
        return self._vm.run(code)

    def unmute(self) -> None:
        """A board that fell silent is switched off and on."""
        self.settle()
        self.mute_at, self._mute, self._raw, self._buffer = None, False, False, b""

    def reset(self) -> None:
        """Resets the board from the side, when the line is closed."""
        self.settle()
        self._reset()

    def settle(self, timeout_s: float = 30.0) -> None:
        """Waits until all that was sent is dealt with."""
        done = threading.Event()
        while self._thread.is_alive() and select.select([self._master], [], [], 0)[0]:
            if done.wait(POLL_S) or (timeout_s := timeout_s - POLL_S) < 0:
                raise TimeoutError("the board does not read")
        with self._busy:
            pass

    def _boot(self, files: dict[str, bytes]) -> Vm:
        vm = Vm(heap_kib=512)
        vm.__enter__()
        for path, data in files.items():
            vm.put(path, data)
        result = vm.run(f"import world\nworld.reset({self._world}, {{}})")
        if not result.ok:
            raise RuntimeError(result.error)
        return vm

    def _reset(self) -> None:
        files = {path: data for folder in KEPT for path, data in self._vm.tree(folder).items()}
        self._vm.close()
        self._vm = self._boot(files)
        self.resets += 1

    def _serve(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._master], [], [], POLL_S)[0]:
                continue
            with self._busy:
                data = os.read(self._master, 4096)
                self.sent += data
                self._buffer += data
                while not self._mute and self._buffer and self._step():
                    pass

    def _say(self, data: bytes) -> None:
        if not self._mute:
            os.write(self._master, data)

    def _step(self) -> bool:
        """Takes something from the buffer -> False when more has to come first."""
        if self._raw and self._buffer.startswith(CTRL_E):
            return self._probe()
        if self._raw and self._buffer[:1] not in CONTROLS:
            return self._plain_code()
        key, self._buffer = self._buffer[:1], self._buffer[1:]
        if key == CTRL_A:
            self._raw = True
            self._say(RAW_BANNER)
        elif key == CTRL_B and self._raw:
            self._raw = False
            self._say(FRIENDLY_BANNER)
        elif key == CTRL_C:
            self._say(b"" if self._raw else b"\r\n>>> ")
        elif key == CTRL_D:
            self._say(b"OK\r\nMPY: soft reboot\r\n" if self._raw else b"\r\nMPY: soft reboot\r\n")
            self._reset()
            self._say(RAW_BANNER if self._raw else FRIENDLY_BANNER)
        elif not self._raw:
            # The friendly prompt shows what is typed.
            self._say(key)
        return True

    def _probe(self) -> bool:
        if len(self._buffer) < len(PASTE_PROBE):
            return False
        self._buffer = self._buffer[len(PASTE_PROBE) :]
        if not self.raw_paste:
            self._say(b"R\x00")
            return True
        self._say(b"R\x01" + WINDOW_BYTES.to_bytes(2, "little") + CTRL_A)
        code = self._paste()
        self._say(CTRL_D)
        self._execute(code)
        return True

    def _paste(self) -> bytes:
        """Code in windows, up to Ctrl-D; the sender waits for leave after each."""
        code, left = b"", WINDOW_BYTES
        while not self._stop.is_set():
            if not self._buffer:
                if select.select([self._master], [], [], POLL_S)[0]:
                    self._buffer = os.read(self._master, 4096)
                    self.sent += self._buffer
                continue
            piece, end, rest = self._buffer.partition(CTRL_D)
            self._buffer = rest
            code += piece
            left -= len(piece)
            while left <= 0 and not end:
                self._say(CTRL_A)
                left += WINDOW_BYTES
            if end:
                break
        return code

    def _plain_code(self) -> bool:
        ends = [at for at, byte in enumerate(self._buffer) if bytes([byte]) in CONTROLS]
        if not ends:
            return False
        code, self._buffer = self._buffer[: ends[0]], self._buffer[ends[0] :]
        # Any other control character throws away what was typed before it.
        if self._buffer.startswith(CTRL_D):
            self._buffer = self._buffer[1:]
            self._say(b"OK")
            self._execute(code)
        return True

    def _execute(self, code: bytes) -> None:
        self.codes.append(code.decode())
        last = self.mute_at is not None and len(self.codes) > self.mute_at
        if last and not self.mute_after:
            self._mute = True
            return
        result = self._vm.run(code.decode())
        self._mute = self._mute or last
        if result.exited or result.error_type == "Restart":
            self._raw = False
            self._reset()
            self._say(FRIENDLY_BANNER)
            return
        error = result.error.replace("\n", "\r\n")
        self._say(result.output.replace("\n", "\r\n").encode() + CTRL_D + error.encode() + CTRL_D + b">")
