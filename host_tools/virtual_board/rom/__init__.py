"""A chip's ROM on the serial line: the loader that flashers talk to, and the start from flash."""

from host_tools.virtual_board.rom.boot import Boot, boot, downloading
from host_tools.virtual_board.rom.chips import Reset
from host_tools.virtual_board.rom.efuses import Security
from host_tools.virtual_board.rom.loader import Loader
from host_tools.virtual_board.rom.requests import SYNC_BYTES, find_sync, is_sync

__all__ = ["SYNC_BYTES", "Boot", "Loader", "Reset", "Security", "boot", "downloading", "find_sync", "is_sync"]
