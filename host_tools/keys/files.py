"""Files that hold keys: opened only when no one but their owner may read them, replaced whole or not at all, and
written by one at a time.
"""

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from host_tools.errors import UsageError
from host_tools.keys.faults import Busy


def open_private(path: Path, what: str, *, write: bool = False) -> BinaryIO:
    """Opens for reading, or for both; what is checked is what is read. UsageError when it is missing, no file, or
    others may read it."""
    try:
        file = path.open("r+b" if write else "rb")
    except OSError as error:
        raise UsageError(f"cannot read the {what} {path}: {error.strerror}") from None
    mode = os.fstat(file.fileno()).st_mode
    # A pipe of the shell's has no mode of its own that would say anything.
    if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
        file.close()
        raise UsageError(f"{path} may be read by others than its owner; run: chmod 600 {path}")
    return file


@contextlib.contextmanager
def replacing(path: Path, what: str, *, fresh: bool = False) -> Iterator[BinaryIO]:
    """A file to write and read, mode 0600, that takes the place of `path` when the block ends well.

    fresh: refuse to take anything's place. Whatever goes wrong, `path` is as it was and nothing else is left beside
    it. UsageError when the disk does not have it.
    """
    temporary: Path | None = None
    try:
        # mkstemp makes the file with mode 0600.
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fresh:
                _put_fresh(temporary, path)
            else:
                temporary.replace(path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"cannot write the {what} {path}: {error.strerror}") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _put_fresh(temporary: Path, path: Path) -> None:
    """Gives the file its name, unless something has it; that, too, in one step."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise UsageError(f"{path} is there already; name another file") from None
    except OSError:
        # A file system without links, as on a memory card.
        if path.exists():
            raise UsageError(f"{path} is there already; name another file") from None
        temporary.replace(path)
    else:
        temporary.unlink()


def write_private(path: Path, data: bytes, what: str, *, fresh: bool = False) -> None:
    """Writes a file of the owner's alone, whole or not at all."""
    with replacing(path, what, fresh=fresh) as file:
        file.write(data)


def _sync_folder(folder: Path) -> None:
    # Some file systems cannot; the file itself is on the disk, and has its name.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def lock(path: Path) -> BinaryIO:
    """Opens the keystore at `path` and locks it against other writers, until it is closed. Raises Busy."""
    while True:
        file = open_private(path, "keystore", write=True)
        try:
            lock_open(file, path)
            # Whoever had it locked may have put another file in its place since it was opened.
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except OSError as error:
            file.close()
            raise UsageError(f"cannot lock the keystore {path}: {error.strerror}") from None
        except BaseException:
            file.close()
            raise
        file.close()


def lock_open(file: BinaryIO, path: Path) -> None:
    """Locks an open file against other writers. Raises Busy."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(f"{path} is being changed by another command; try again when that is done") from None
