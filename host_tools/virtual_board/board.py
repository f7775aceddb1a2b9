"""The virtual board itself: supply, reset, and which of ROM loader and application has the UART. One thread does all
that the chip does; whoever turns a switch from outside only leaves word for it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from host_tools.errors import PlumveilError
from host_tools.virtual_board.chip import FlashChip, PowerCut
from host_tools.virtual_board.hardware import Cause, End, Ended, Hardware, Region
from host_tools.virtual_board.inbox import Inbox
from host_tools.virtual_board.modes import Mode, Silicon, Start, Uart
from host_tools.virtual_board.rom import Loader, boot, downloading
from host_tools.virtual_board.vm import BoardVm

TICK_S = 0.1
BREAKDOWN_PAUSE_S = 1.0  # between a VM that broke down and the next start
DRAIN_S = 1.0


class Board:
    """A board with its supply off. `start`, then turn switches from any thread; `stop` at the end."""

    def __init__(self, silicon: Silicon, hardware: Hardware, uart: Uart, note: Callable[[str], None]) -> None:
        """note: told what happens, a line each."""
        self.flash: FlashChip = hardware.flash
        self._hardware = hardware
        self._silicon = silicon
        self._uart = uart
        self._note = note
        self._changed = threading.Condition()
        self._mode = Mode.OFF
        self._wanted: Start | None = None
        self._inbox = Inbox()
        self._by_sync = False
        self._waits = True  # for a switch or for input
        self._back_s: float | None = None
        self._stopped = False
        self.starts = 0  # times that the application was started by a reset or power-on
        self.vm = BoardVm(_Services(self), hardware)
        self._thread = threading.Thread(target=self._live, daemon=True)

    @property
    def mode(self) -> Mode:
        """What the chip is about now."""
        return self._mode

    @property
    def at_work(self) -> bool:
        """Whether the chip does something; False while it waits for input or has no supply."""
        with self._changed:
            return not self._waits or self._wanted is not None or len(self._inbox) > 0

    def start(self) -> None:
        """Switches the board on."""
        self._thread.start()
        self.power_on()

    def stop(self) -> None:
        """Ends the board and its VM."""
        with self._changed:
            self._stopped = True
        self._go(Start(Mode.OFF))
        while self._thread.is_alive():
            self.nudge()
            self._thread.join(TICK_S)
        self.vm.close()

    def power_off(self) -> None:
        """Takes the supply away, whatever is under way."""
        self.flash.power_off()
        self._go(Start(Mode.OFF))

    def power_on(self) -> None:
        """Gives the supply back; nothing happens when it is there."""
        if not self.flash.powered or self._mode is Mode.OFF:
            self._go(Start(Mode.APPLICATION, Cause.PWRON, supply=True))

    def power_cut(
        self, after_bytes: int | None = None, after_ops: int | None = None, *, torn: bool, back_s: float | None
    ) -> None:
        """Orders the supply to go while flash is written, as FlashChip.order_cut; back_s: and return after that."""
        self._back_s = back_s
        self.flash.order_cut(after_bytes, after_ops, torn=torn)

    def reset(self) -> None:
        """Pulls EN low for a moment, as the board's button does; without supply nothing happens."""
        self.release(download=False)

    def hold(self) -> None:
        """EN goes low and stays so."""
        if self.flash.powered:
            self._go(Start(Mode.HELD))

    def release(self, download: bool) -> None:
        """EN goes high, with IO0 low when `download`."""
        if self.flash.powered:
            self._go(Start(Mode.LOADER if download else Mode.APPLICATION, Cause.PWRON))

    def busy(self, seconds: float) -> None:
        """Makes the board deaf for so long: what comes meanwhile, Ctrl-C too, waits."""
        with self._changed:
            self._inbox.deafen(seconds)

    def receive(self, data: bytes) -> None:
        """Bytes came in over the line."""
        with self._changed:
            if self._mode is Mode.OFF and self._wanted is None:
                return
            call = b"" if self._mode is Mode.LOADER else self._inbox.call(data)
            if not call and not self.vm.outside.asleep:
                self._inbox.put(data)
                self._changed.notify_all()
        if call:
            self._go(Start(Mode.LOADER, first=call, by_sync=True))
        else:
            self._interrupt()

    def hung_up(self) -> None:
        """Who had the port open closed it: a flasher that could pull no line is done, and the board restarts."""
        if self._mode is Mode.LOADER and self._by_sync:
            self._go(Start(Mode.APPLICATION, Cause.PWRON))

    def nudge(self) -> None:
        """To be called now and then: makes a VM that started just when a switch was turned end too, and hands on a
        Ctrl-C that came while the board was deaf."""
        if self._wanted is not None and self.vm.running:
            self.vm.kill()
        self._interrupt()

    def read_input(self, n: int) -> bytes:
        """Bytes for the code that runs."""
        with self._changed:
            return self._inbox.take(n)

    def say(self, data: bytes) -> None:
        """Bytes out of the board, for as long as it has its supply."""
        if self.flash.powered and not self._stopped:
            self._uart.send(data)

    def _interrupt(self) -> None:
        # The UART's interrupt handler takes Ctrl-C out of what comes in while code runs; a prompt reads it as it is.
        with self._changed:
            runs = self._mode is Mode.APPLICATION and self.vm.running
            found = runs and self.vm.interruptible and self._inbox.take_ctrl_c()
            if runs and not self.vm.interruptible:
                self._inbox.settle()
        if found:
            self.vm.interrupt()

    def _go(self, start: Start) -> None:
        with self._changed:
            self._wanted = start
            self._inbox.clear()
            self._changed.notify_all()
        # Outside of the lock: the VM may be asking for input just now.
        self.vm.kill()

    def _live(self) -> None:
        while not self._stopped:
            with self._changed:
                start, self._wanted = self._wanted or Start(Mode.OFF), None
                self._mode, self._by_sync = start.mode, start.by_sync
            if start.supply:
                self.flash.power_on()
            self._note(f"{start.mode.value}" + (f" ({start.cause.name})" if start.mode is Mode.APPLICATION else ""))
            try:
                self._run(start)
            except PowerCut:
                self._cut()
            except PlumveilError as error:
                self._broke_down(str(error))

    def _run(self, start: Start) -> None:
        """Does what was asked for, until something else is."""
        if start.mode is Mode.APPLICATION:
            self._application(start.cause)
        elif start.mode is Mode.LOADER:
            self._loader(start.first)
        else:
            self._wait()

    def _cut(self) -> None:
        self._mode = Mode.OFF
        self._note("the supply went while flash was at work")
        back_s, self._back_s = self._back_s, None
        with self._waiting():
            self._changed.wait_for(lambda: self._wanted is not None, back_s)
            self._wanted = self._wanted or Start(Mode.APPLICATION, Cause.PWRON, supply=True)

    def _wait(self) -> None:
        with self._waiting():
            self._changed.wait_for(lambda: self._wanted is not None)

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        with self._changed:
            self._waits = True
            try:
                yield
            finally:
                self._waits = False

    def _take(self) -> bytes | None:
        """Waits for bytes to come -> them, none when the watchdog bit, or None when something else is asked for."""
        with self._waiting():
            while self._wanted is None and not self.vm.bitten and not self._inbox.readable:
                self._changed.wait(TICK_S)
            return None if self._wanted is not None else self._inbox.take()

    def _application(self, cause: Cause) -> None:
        found = boot(self._silicon.chip, self.flash)
        self.say(found.printed)
        if found.info is None:
            self._mode = Mode.NOTHING
            self._wait()
            return
        self._hardware.regions = tuple(
            Region(p.label, p.type, p.subtype, p.offset_bytes, p.size_bytes) for p in found.info.table
        )
        self.vm.hardware = self._hardware
        self.starts += 1
        ended = self.vm.boot(cause) if self._wanted is None else Ended(End.KILLED)
        while ended.end is End.PROMPT:
            data = self._take()
            if data is None:
                return
            ended = self.vm.feed(data)
        self._after(ended)

    def _after(self, ended: Ended) -> None:
        if ended.end is End.POWER_CUT:
            raise PowerCut
        if ended.end is End.KILLED:
            self._wait()
            return
        if ended.end is End.DIED:
            self._broke_down(ended.why)
        else:
            self._restart(ended.cause)

    def _broke_down(self, why: str) -> None:
        """What a watchdog would do about it, after a pause: what breaks down at every start must not spin."""
        self._note(f"the VM broke down: {why}")
        with self._changed:
            self._changed.wait_for(lambda: self._wanted is not None, BREAKDOWN_PAUSE_S)
        self._restart(Cause.WDT)

    def _restart(self, cause: Cause) -> None:
        with self._changed:
            self._wanted = self._wanted or Start(Mode.APPLICATION, cause)

    def _loader(self, first: bytes) -> None:
        loader = Loader(self._silicon.chip, self.flash, self._hardware.mac, self._silicon.security)
        data: bytes | None = first
        if not first:
            self.say(downloading(self._silicon.chip))
            data = self._take()
        while data is not None:
            self.say(loader.feed(data))
            if loader.left:
                self._uart.drained(DRAIN_S)
                self._restart(Cause.PWRON)
                return
            data = self._take()


class _Services:
    """What the VM is given of the board."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def output(self, data: bytes) -> None:
        """Bytes out of the serial line."""
        self._board.say(data)

    def read_input(self, n: int) -> bytes:
        """Up to n bytes that came in; none when none did."""
        return self._board.read_input(n)
