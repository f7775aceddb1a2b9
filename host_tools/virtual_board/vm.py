"""The processor of a virtual board: boots MicroPython's VM as an ESP32 boots, and feeds its prompt from the line.

One Node process per boot. Must never wait without an end from outside: kill() ends whatever is under way, at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from host_tools.errors import PlumveilError
from host_tools.virtual_board.calls import HostCalls, Restarted
from host_tools.virtual_board.chip import PowerCut
from host_tools.virtual_board.hardware import Anywhere, Cause, End, Ended, Hardware, Memory, Region
from host_tools.virtual_board.outside import Outside
from host_tools.virtual_board.processor import Gone, Processor
from host_tools.virtual_board.prompt import Prompt
from host_tools.virtual_board.timing import Stopped, Waiting, Watchdog
from host_tools.vm.process import VmError

__all__ = ["Anywhere", "BoardVm", "Cause", "End", "Ended", "Hardware", "Region", "Services"]

FAILED, FORCED_EXIT = 0, 0x100  # as in MicroPython's pyexec.h
INPUT_BYTES = 256
SOFT_REBOOT = b"MPY: soft reboot\r\n"


class Services(Protocol):
    """What a BoardVm needs of its board. Both are called from the thread that is in boot() or feed()."""

    def output(self, data: bytes) -> None:
        """Bytes out of the serial line; may block while the line is slow."""

    def read_input(self, n: int) -> bytes:
        """Up to n bytes that came over the line while code runs, Ctrl-C not among them; b"" at once when none did."""


class BoardVm:
    """Lives as long as the board. boot() and feed() belong to one thread; the rest may be called from any.

    running: a boot() or feed() is under way. bitten: the watchdog ran out while the prompt waited; boot(Cause.WDT) is
    due, and feed() says so too. raw: the prompt is in raw mode. interruptible: to the code that runs, Ctrl-C is
    no byte like others. outside: its button, and what it shows.
    """

    def __init__(self, services: Services, hardware: Hardware) -> None:
        self.services = services
        self.hardware = hardware
        self.running = False
        self.bitten = False
        self.interruptible = True
        self.outside = Outside()
        self._memory = Memory(hardware)
        self._waiting = Waiting()
        self._watchdog = Watchdog(self._bite)
        self._faults: dict[str, str] = {}
        self._processor: Processor | None = None
        self._prompt: Prompt | None = None
        self._changing = threading.Lock()
        self._early = False  # Ctrl-C came when there was no processor to take it

    @property
    def raw(self) -> bool:
        """Whether the prompt is in raw mode."""
        return self._prompt is not None and self._prompt.raw

    def boot(self, cause: Cause, *, raw: bool = False) -> Ended:
        """Starts the processor: file system, boot.py, main.py (not when raw), prompt. Soft resets happen inside."""
        self._end_processor()
        self.bitten = self._early = False
        self.outside.start()
        self._waiting.start()
        return self._live(lambda: self._boot(cause, raw))

    def feed(self, data: bytes) -> Ended:
        """Bytes of the line, while the prompt waits; returns when the code that they made run has ended."""
        return self._live(lambda: self._feed(data))

    def interrupt(self) -> None:
        """Ctrl-C came over the line while boot() or feed() is under way; at a boot it waits for the code to begin."""
        with self._changing:
            processor = self._processor
            self._early = processor is None
        if processor is not None and not self._waiting.interrupt():
            processor.interrupt()

    def order(self, fault: dict[str, Any]) -> None:
        """A fault of a sensor: {"sensor", "kind" of world.FAULTS, "on": whether it begins (default) or ends}."""
        if fault.get("on", True):
            self._faults[fault["sensor"]] = fault["kind"]
        else:
            self._faults.pop(fault["sensor"], None)

    def fill_disk(self, leave_bytes: int = 0) -> None:
        """Writes /ballast until about that much is free. Errors: PlumveilError when no disk is mounted."""
        self._running_processor().calls.fill(leave_bytes)

    def empty_disk(self) -> None:
        """Takes /ballast away again. Errors: PlumveilError when no disk is mounted."""
        self._running_processor().calls.empty()

    def take(self, n: int) -> bytes:
        """For the VM: up to n bytes of the line, those first that the prompt was given and has not used."""
        if not self.has_input() or self._prompt is None:
            return b""
        data, self._prompt.pending = self._prompt.pending[:n], self._prompt.pending[n:]
        return data

    def has_input(self) -> bool:
        """For the VM: whether there is something to take."""
        prompt = self._prompt
        if prompt is not None and not prompt.pending:
            prompt.pending = self.services.read_input(INPUT_BYTES)
        return prompt is not None and bool(prompt.pending)

    def kill(self) -> None:
        """The supply goes, or the reset line is pulled: boot() or feed() ends as KILLED."""
        self._waiting.stop()
        processor = self._processor
        if processor is not None:
            processor.kill()

    def close(self) -> None:
        """Ends everything; from the thread of boot() and feed(), or when neither is under way."""
        self.kill()
        self._watchdog.close()
        self._end_processor()

    def _live(self, action: Callable[[], Ended]) -> Ended:
        self.running = self.interruptible = True
        try:
            ended = action()
        except Restarted as reset:
            self._end_processor()
            ended = self._sleep(reset)
        except PowerCut:
            ended = Ended(End.POWER_CUT)
        except (Stopped, Gone):
            ended = self._gone()
        except VmError as error:
            ended = Ended(End.DIED, Cause.WDT, str(error))
        finally:
            self.running = False
        if self._waiting.stopped and ended.end is not End.POWER_CUT:
            # Also when it came just as the prompt was reached.
            ended = Ended(End.KILLED)
        if ended.end is not End.PROMPT:
            self._watchdog.stop()
            self._end_processor()
        return ended

    def _boot(self, cause: Cause, raw: bool) -> Ended:
        if cause is not Cause.SOFT:
            self._watchdog.stop()
        return self._serve(self._to_prompt(cause, raw, b""))

    def _feed(self, data: bytes) -> Ended:
        prompt = self._prompt
        if prompt is None or self._processor is None or self.bitten:
            raise Gone
        prompt.pending += data
        return self._serve(prompt)

    def _serve(self, prompt: Prompt) -> Ended:
        while not prompt.feed():
            prompt = self._to_prompt(Cause.SOFT, prompt.raw, prompt.pending)
        return Ended(End.PROMPT)

    def _to_prompt(self, cause: Cause, raw: bool, typed: bytes) -> Prompt:
        prompt, ended = self._start(cause, raw, typed)
        while ended == FORCED_EXIT:
            # Code ended with SystemExit: the port goes round to its start again.
            prompt, ended = self._start(Cause.SOFT, raw, prompt.pending)
        prompt.start()
        return prompt

    def _start(self, cause: Cause, raw: bool, typed: bytes) -> tuple[Prompt, int]:
        """One boot up to the prompt, and how its last file ended."""
        # Taken away first: a Ctrl-C from now on is for what comes.
        last = self._take_processor()
        if last is not None:
            try:
                if cause is Cause.SOFT:
                    last.calls.close_files()
            finally:
                last.end()
        if cause is Cause.SOFT:
            self.services.output(SOFT_REBOOT)
        self._memory.start(cause, bool(self.hardware.world.get("clock_set", False)))
        beside = (self._waiting, self._watchdog, self._faults, self, self.outside)
        calls = HostCalls(self.hardware, self._memory, cause, *beside)
        processor = Processor(self.hardware, self._memory.elapsed_ms(), calls, self.services.output)
        with self._changing:
            self._processor = processor
            early, self._early = self._early, False
        if early:
            processor.interrupt()
        if self._waiting.stopped:
            # It came before there was a process to kill.
            raise Stopped
        prompt = Prompt(processor.request, self.services.output, raw=raw, pending=typed)
        self._prompt = prompt
        processor.start()
        ended = processor.run("boot.py")
        if not raw and ended not in (FAILED, FORCED_EXIT):
            ended = processor.run("main.py")
        return prompt, ended

    def _sleep(self, reset: Restarted) -> Ended:
        """Deep sleep: the processor is off, and deaf to the line."""
        self._watchdog.stop()
        if reset.sleep_ms != 0:
            seconds = None if reset.sleep_ms is None else reset.sleep_ms / 1000 / self.hardware.speed
            try:
                self._waiting.wait(seconds, deaf=True)
            except Stopped:
                return Ended(End.KILLED)
        return Ended(End.RESET, reset.cause)

    def _gone(self) -> Ended:
        if self.bitten:
            return Ended(End.RESET, Cause.WDT)
        why = self._end_processor()
        return Ended(End.DIED, Cause.WDT, why or "the VM is not running")

    def _running_processor(self) -> Processor:
        processor = self._processor
        if processor is None:
            raise PlumveilError("the virtual board is off, or does not boot: start it first")
        return processor

    def _bite(self) -> None:
        self.bitten = True
        processor = self._processor
        if processor is not None:
            processor.kill()

    def _take_processor(self) -> Processor | None:
        with self._changing:
            processor, self._processor = self._processor, None
        return processor

    def _end_processor(self) -> str:
        processor = self._take_processor()
        return "" if processor is None else str(processor.end())
