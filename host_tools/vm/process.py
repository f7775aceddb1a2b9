"""The Node process under a VM: its pipes, its deadline, and what it said when it died.

Must never wait without a bound: past its deadline the process is killed, which ends every read and write on its
pipes.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from host_tools.errors import PlumveilError
from host_tools.vm.frames import read_frame, write_frame

CLOSE_TIMEOUT_S = 5.0
STDERR_LINES = 30


class VmError(PlumveilError):
    """The VM could not be started, broke down, or hung and was killed."""


class NodeProcess:
    """One Node process that speaks frames on its stdin and stdout."""

    def __init__(self, command: Sequence[str | Path], pass_fds: Sequence[int] = ()) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=pass_fds)
        self._stdin, self._stdout = cast(BinaryIO, self._process.stdin), cast(BinaryIO, self._process.stdout)
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._late_by_s: float | None = None
        self._reader = threading.Thread(target=self._drain, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    def read(self) -> tuple[str, bytes] | None:
        """The next frame, or None when the process has gone."""
        return read_frame(self._stdout)

    def write(self, kind: str, payload: bytes) -> bool:
        """Sends a frame -> whether the process was there to take it."""
        try:
            write_frame(self._stdin, kind, payload)
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()

    @contextlib.contextmanager
    def deadline(self, timeout_s: float) -> Iterator[None]:
        """Kills the process if the block takes longer."""

        def expire() -> None:
            self._late_by_s = timeout_s
            self.kill()

        timer = threading.Timer(timeout_s, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        """Lets the process end by itself, and kills it if it does not."""
        # What is left in a buffer can reach nobody, so a broken pipe is no matter.
        with contextlib.suppress(OSError):
            self._stdin.close()
        self._stdout.close()
        try:
            self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._reader.join(CLOSE_TIMEOUT_S)

    def obituary(self) -> VmError:
        """Why the process has gone; for a process that is closed."""
        if self._late_by_s is not None:
            return VmError(f"the VM did not answer within {self._late_by_s:g} s and was killed")
        lines = "\n".join(line for line in self._stderr if line.strip())
        return VmError("the VM broke down" + (f":\n{lines}" if lines else ""))

    def _drain(self, pipe: BinaryIO) -> None:
        with pipe:
            for line in pipe:
                self._stderr.append(line.decode(errors="replace").rstrip())
