"""What ROM and stub have in common: a table of requests, registers, the flash's size, code loaded to RAM.

Each adds the requests that it does in its own way, and its codes for what is refused. Keeps no code that was loaded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from host_tools.virtual_board.rom.machine import Machine
from host_tools.virtual_board.rom.requests import Command, NotBegun, Request, TooMuchData

SYNC_ANSWERS = 8
Answer = tuple[int, bytes]  # value, data
Work = Callable[[Request], Answer]
DONE: Answer = (0, b"")
_LOADED_MAX = 16


class Program:
    """One run of a loader. `started_stub` when code that was loaded to RAM was started."""

    def __init__(self, machine: Machine, known: dict[Command, Work]) -> None:
        self.started_stub = False
        self._machine = machine
        self._memory: tuple[int, int] | None = None  # address, bytes still to come
        self._loaded: deque[tuple[int, int]] = deque(maxlen=_LOADED_MAX)  # start, end
        own: dict[int, Work] = {
            Command.READ_REG: self._read_register,
            Command.WRITE_REG: self._write_registers,
            Command.SPI_SET_PARAMS: self._set_parameters,
            Command.CHANGE_BAUDRATE: self._change_baud,
            Command.MEM_BEGIN: self._memory_begin,
            Command.MEM_DATA: self._memory_data,
            Command.MEM_END: self._memory_end,
        }
        self.known = own | {int(command): work for command, work in known.items()}

    def jump(self, entry: int) -> None:
        """Starts code in RAM: what was loaded there is taken for a stub, anything else restarts the chip."""
        if any(start <= entry < end for start, end in self._loaded):
            self.started_stub = True
        else:
            self._machine.told_to_leave = True

    def _read_register(self, request: Request) -> Answer:
        (address,) = request.words(1)
        return self._machine.registers.read(address), b""

    def _write_registers(self, request: Request) -> Answer:
        # Address, value, mask, delay; a second write is a flasher's way to wait.
        words = request.words(4, 8)
        for at in range(0, len(words), 4):
            self._machine.registers.write(*words[at : at + 3])
        return DONE

    def _set_parameters(self, request: Request) -> Answer:
        self._machine.area.limit(request.words(6)[1])
        return DONE

    def _change_baud(self, request: Request) -> Answer:
        baud, _ = request.words(2)
        self._machine.registers.baud = baud or self._machine.registers.baud
        return DONE

    def _memory_begin(self, request: Request) -> Answer:
        size, _, _, address = request.words(4)
        self._memory = (address, size)
        self._loaded.append((address, address + size))
        return DONE

    def _memory_data(self, request: Request) -> Answer:
        # Code cannot run here, so it is checked and not kept.
        if self._memory is None:
            raise NotBegun
        address, rest = self._memory
        _, block = request.block()
        if len(block) > rest:
            raise TooMuchData
        self._memory = (address, rest - len(block))
        return DONE

    def _memory_end(self, request: Request) -> Answer:
        stay, entry = request.words(2)
        if self._memory is None:
            raise NotBegun
        self._memory = None
        if not stay:
            self.jump(entry)
        return DONE
