"""Images for tests: made as bytes, and by `plumveil image` as it is typed."""

from __future__ import annotations

from pathlib import Path

from host_tools import boards, firmware_build, image
from host_tools.boards import Board
from host_tools.flashing import base
from host_tools.provision import board_file
from plumveil import wire
from tests.host import keystores
from tests.host.command_line import Ended, run

FIRMWARE = firmware_build.compile_firmware()
FILES = image.node_files(FIRMWARE)
SLOT = b"\x00\x42" + bytes(range(66))
WIFI_KEY = "mauve-kettle-forty-two"
NODE_TOML = """
[node]
name = "lorry 12"
board = "{board}"
[wifi]
ssid = "depot"
key = "{wifi_key}"
security = "wpa2"
[broker]
host = "localhost"
port = 1883
[service]
tenant = "{tenant}"
jurisdiction = "EU"
endpoint_region = "EU"
[policy]
profile = "general"
"""


def made(name: str, slot_bytes: bytes | None = None, **changes: bytes) -> tuple[Board, image.Image, bytes]:
    """(board, its image, the whole flash with it on)."""
    board = boards.load(name)
    built = image.build(board, base.read(base.STANDIN, board), {**FILES, **changes}, slot_bytes)
    flash = b"\xff" * built.offset_bytes + built.data
    assert len(flash) == board.flash.size_bytes
    return board, built, flash


def part(flash: bytes, at: int | None, size: int | None) -> bytes:
    assert at is not None
    assert size is not None
    return flash[at : at + size]


def on_disk(board: boards.Board) -> dict[str, bytes]:
    return FILES | {wire.FILE_BOARD: board_file(board)}


def node_toml(folder: Path, board: str = "virtual", tenant: str = keystores.TENANT) -> Path:
    path = folder / "node.toml"
    path.write_text(NODE_TOML.format(board=board, tenant=tenant, wifi_key=WIFI_KEY), encoding="utf-8")
    path.chmod(0o600)
    return path


def command(folder: Path, *arguments: str | Path, keystore: Path | None = None) -> Ended:
    """`plumveil image ...`, OUT in the folder."""
    given = ("--keystore", keystore) if keystore else ()
    return run("image", "--out", folder / "out.bin", *arguments, *given, PLUMVEIL_PASSPHRASE=keystores.PASSPHRASE)


def flash_of(path: Path) -> bytes:
    return b"\xff" * 0x1000 + path.read_bytes()
