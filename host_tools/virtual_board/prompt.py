"""The prompt of a virtual board: hands the line's bytes to the VM's REPL in the pieces that it can take.

Raw paste is spoken here. Bytes that come while code runs stay in `pending`, where that code may read them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from host_tools.virtual_board.raw_paste import ACCEPTED, PROBE, RawPaste

INTERRUPTED = b"KeyboardInterrupt: \r\n\x04>"
# Each piece ends where code may begin to run or the mode may change.
_RAW_PIECE = re.compile(rb"[^\x01-\x04]*[\x01-\x04]?", re.DOTALL)
_FRIENDLY_PIECE = re.compile(rb"[^\x01-\x05\r\n]*[\x01-\x05\r\n]?", re.DOTALL)
_NOT_PASTED = re.compile(rb"[\x01\x02]")

Request = Callable[[str, bytes], dict[str, Any]]


class Prompt:
    """request: to the VM; output: onto the line."""

    def __init__(
        self, request: Request, output: Callable[[bytes], None], *, raw: bool = False, pending: bytes = b""
    ) -> None:
        self._request = request
        self._output = output
        self._paste: RawPaste | None = None
        self._empty = True
        self.raw = raw
        self.pending = pending

    def start(self) -> None:
        """Shows itself."""
        self._request("I", b"raw" if self.raw else b"")

    def feed(self) -> bool:
        """Takes what is pending -> False when the code that it made run ended the VM's life with SystemExit."""
        while self.pending:
            if self._paste is not None:
                going_on = self._pasting(self._paste)
            elif self.raw and self._empty and PROBE.startswith(self.pending[: len(PROBE)]):
                if len(self.pending) < len(PROBE):
                    # What it begins like decides; nothing of it does anything alone.
                    return True
                self.pending = self.pending[len(PROBE) :]
                self._output(ACCEPTED)
                self._paste = RawPaste()
                going_on = True
            else:
                going_on = self._keys()
            if not going_on:
                return False
        return True

    def _keys(self) -> bool:
        found = (_RAW_PIECE if self.raw else _FRIENDLY_PIECE).match(self.pending)
        piece = found[0] if found else self.pending
        self.pending = self.pending[len(piece) :]
        return self._ended(self._request("K", piece))

    def _pasting(self, paste: RawPaste) -> bool:
        pasted = paste.feed(self.pending)
        self.pending = pasted.rest
        self._output(pasted.said)
        if pasted.code is None:
            return True
        self._paste = None
        if pasted.interrupted:
            self._output(b"\x04" + INTERRUPTED)
            return True
        code = pasted.code or b"\n"
        if _NOT_PASTED.search(code):
            # The raw prompt, which runs it, would take these for keys.
            code = b"exec(%r)" % code
        return self._ended(self._request("X", code))

    def _ended(self, answer: dict[str, Any]) -> bool:
        self.raw, self._empty = answer["raw"], answer["empty"]
        return not answer["exit"]
