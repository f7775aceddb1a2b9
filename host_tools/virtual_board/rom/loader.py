"""The loader that a flasher meets on a chip's serial line: ROM first, its own stub once it has loaded one.

Bytes in, bytes out; it opens no port and keeps no time. Flash operations raise PowerCut through it.
"""

from __future__ import annotations

from host_tools.virtual_board.chip import FlashChip
from host_tools.virtual_board.rom.efuses import Security
from host_tools.virtual_board.rom.frames import Framer
from host_tools.virtual_board.rom.machine import Machine
from host_tools.virtual_board.rom.requests import parse
from host_tools.virtual_board.rom.romcode import Rom
from host_tools.virtual_board.rom.stub import GREETING, Stub


class Loader:
    """One stay in the loader, from reset to `left`.

    chip: as in board.toml. mac: 6 bytes. security: what the fuses say. Errors: UsageError for an unknown chip.
    """

    def __init__(self, chip: str, flash: FlashChip, mac: bytes, security: Security | None = None) -> None:
        self._machine = Machine(chip, flash, mac, security or Security())
        self._framer = Framer()
        self._program: Rom | Stub = Rom(self._machine)

    @property
    def left(self) -> bool:
        """True when the flasher said to run the application, or restarted the chip: nothing is answered any more."""
        return self._machine.left

    @property
    def baud(self) -> int:
        """The line's rate in bits per second, as last agreed."""
        return self._machine.registers.baud

    def feed(self, data: bytes) -> bytes:
        """Takes bytes of the line and returns the answers. Errors: PowerCut when the supply goes in a write."""
        answers = bytearray()
        for frame in self._framer.feed(data):
            if self.left:
                break
            answers += self._answer(frame)
        return bytes(answers)

    def _answer(self, frame: bytes) -> bytes:
        program = self._program
        if isinstance(program, Stub):
            packet = program.acknowledged(frame)
            if packet is not None:
                return packet
        request = parse(frame)
        if request is None:
            return b""
        answer = program.answer(request)
        if program.started_stub:
            self._program = Stub(self._machine)
            answer += GREETING
        elif isinstance(program, Stub) and program.ended:
            self._program = Rom(self._machine)
        return answer
