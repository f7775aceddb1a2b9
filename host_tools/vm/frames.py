"""Frames between the host and the Node process that runs a VM: [u32 length][u8 kind][payload], big-endian.

The same format stands in frames.mjs. Nothing is interpreted here.
"""

from __future__ import annotations

from typing import BinaryIO

PAYLOAD_MAX_BYTES = 256 * 1024 * 1024
_HEAD_BYTES = 5


def write_frame(pipe: BinaryIO, kind: str, payload: bytes) -> None:
    """Writes one frame. Errors: OSError when the other end has gone, ValueError for a payload over the limit."""
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise ValueError(f"more than {PAYLOAD_MAX_BYTES} bytes in one frame")
    pipe.write(len(payload).to_bytes(4, "big") + kind.encode("ascii"))
    pipe.write(payload)
    pipe.flush()


def read_frame(pipe: BinaryIO) -> tuple[str, bytes] | None:
    """Reads one frame as (kind, payload); None when the other end has gone, also in the middle of a frame."""
    head = pipe.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        return None
    length = int.from_bytes(head[:4], "big")
    if length > PAYLOAD_MAX_BYTES:
        return None
    payload = pipe.read(length)
    return (chr(head[4]), payload) if len(payload) == length else None


def pack_path(path: str, data: bytes = b"") -> bytes:
    """[u16 length][path in UTF-8][data]."""
    name = path.encode()
    return len(name).to_bytes(2, "big") + name + data


def unpack_path(payload: bytes) -> tuple[str, bytes]:
    """The (path, data) of `pack_path`."""
    end = 2 + int.from_bytes(payload[:2], "big")
    return payload[2:end].decode(), payload[end:]
