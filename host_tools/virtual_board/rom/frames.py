"""SLIP frames on a chip's serial line (RFC 1055), both ways. Never keeps more than one frame of bounded length.

Noise between frames is ignored, a frame that is too long or badly escaped is dropped and counted.
"""

from __future__ import annotations

import re

END = b"\xc0"
_ESCAPE = b"\xdb"
_ESCAPED_END = b"\xdb\xdc"
_ESCAPED_ESCAPE = b"\xdb\xdd"
_BAD_ESCAPE = re.compile(rb"\xdb(?![\xdc\xdd])")

# What the flasher stub has room for: a header of 8 bytes and a block of 0x4000 with its own header.
FRAME_MAX_BYTES = 8 + 0x4000 + 0xFF
_RAW_MAX_BYTES = 2 * FRAME_MAX_BYTES  # every byte escaped


def framed(payload: bytes) -> bytes:
    """Returns the payload as it goes over the line."""
    return END + payload.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(END, _ESCAPED_END) + END


class Framer:
    """Cuts what comes over the line into frames."""

    def __init__(self) -> None:
        self.dropped = 0
        self._raw = bytearray()
        self._inside = False
        self._too_long = False

    def feed(self, data: bytes) -> list[bytes]:
        """Takes bytes of the line, returns the payloads of the frames that ended in them."""
        first, *others = data.split(END)
        self._add(first)
        frames = []
        for part in others:
            payload = self._ended()
            if payload:
                frames.append(payload)
            self._add(part)
        return frames

    def _add(self, part: bytes) -> None:
        if not self._inside:
            return
        if len(self._raw) + len(part) > _RAW_MAX_BYTES:
            self._too_long = True
            self._raw.clear()
        if not self._too_long:
            self._raw += part

    def _ended(self) -> bytes:
        # An end mark. Two in a row are the end of one frame and the start of the next.
        raw, too_long = bytes(self._raw), self._too_long
        self._raw.clear()
        self._too_long = False
        self._inside = not raw and not too_long
        if not raw and not too_long:
            return b""
        payload = raw.replace(_ESCAPED_END, END).replace(_ESCAPED_ESCAPE, _ESCAPE)
        if too_long or len(payload) > FRAME_MAX_BYTES or _BAD_ESCAPE.search(raw):
            self.dropped += 1
            return b""
        return payload
