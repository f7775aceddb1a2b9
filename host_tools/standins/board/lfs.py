# The board's file system as MicroPython sees it: VfsLfs2 with the port's arguments, modes and OSError numbers. The
# host does the work, on the flash chip itself; nothing is kept here but the working folder.
import io
import json

import _vm
from uctypes import addressof

ENOENT, EINVAL = 2, 22
RDONLY, WRONLY, RDWR, CREAT, EXCL, TRUNC, APPEND = 1, 2, 3, 0x100, 0x200, 0x400, 0x800
MODES = {"r": RDONLY, "w": WRONLY | CREAT | TRUNC, "x": WRONLY | CREAT | EXCL, "a": WRONLY | CREAT | APPEND}
FOLDER, FILE = 0x4000, 0x8000
NAME_MAX = 255
STREAM_FLUSH, STREAM_SEEK, STREAM_CLOSE, STREAM_BUFFER_BYTES = 1, 2, 4, 11
BUFFER_BYTES = 512


def _checked(result):
    if result < 0:
        raise OSError(-result)
    return result


class FileIO(io.IOBase):
    def __init__(self, number):
        self._number = number

    def _open(self):
        if self._number is None:
            raise ValueError
        return self._number

    def readinto(self, buf, nbytes=None):
        n = len(buf) if nbytes is None else nbytes
        return _checked(_vm.call("R", self._open(), n, 0, 0, addressof(buf), n)) if n else 0

    def read(self, n=-1):
        return self._answer("R", n)

    def readline(self, n=-1):
        return self._answer("G", n)

    def readlines(self):
        return list(self)

    def write(self, data, *limits):
        # limits: most bytes, or offset and most bytes
        if isinstance(data, str):
            data = data.encode()
        if limits:
            start = limits[0] if len(limits) > 1 else 0
            data = bytes(data)[start : start + limits[-1]]
        n = len(data)
        return _checked(_vm.call("W", self._open(), 0, addressof(data), n, 0, 0)) if n else 0

    def seek(self, offset, whence=0):
        return _checked(_vm.ask("K", self._open(), offset, str(whence)))

    def tell(self):
        return self.seek(0, 1)

    def flush(self):
        _checked(_vm.ask("Y", self._open(), 0, ""))

    def close(self):
        number, self._number = self._number, None
        if number is not None:
            _checked(_vm.ask("X", number, 0, ""))

    def ioctl(self, request, arg):
        # What C code asks of a stream: the import of a module, json.dump, ...
        if request == STREAM_CLOSE:
            self.close()
        elif request == STREAM_FLUSH:
            self.flush()
        elif request == STREAM_BUFFER_BYTES:
            return BUFFER_BYTES
        else:
            return -EINVAL
        return 0

    def __iter__(self):
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()

    def __repr__(self):
        return "<io.FileIO>"

    def _answer(self, operation, n):
        _checked(_vm.ask(operation, self._open(), -1 if n is None else n, ""))
        return _taken()


class TextIOWrapper(FileIO):
    def __repr__(self):
        return "<io.TextIOWrapper>"

    def read(self, n=-1):
        # n characters, not bytes: those behind a cut one are fetched byte by byte.
        data = FileIO.read(self, n)
        if n is None or n < 0:
            return data.decode()
        have = _characters(data)
        while have < n or _is_cut(data):
            more = FileIO.read(self, 1)
            if not more:
                break
            data += more
            have = _characters(data)
        return data.decode()

    def readline(self, n=-1):
        return FileIO.readline(self, n).decode()


def _characters(data):
    return sum(1 for byte in data if byte & 0xC0 != 0x80)


def _is_cut(data):
    # Whether UTF-8's last character lacks bytes (RFC 3629 section 3).
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            return byte >= 0xC0 and back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4)
    return False


class VfsLfs2:
    def __init__(self, bdev, readsize=32, progsize=32, lookahead=32, mtime=True):
        self._cwd = "/"
        self._id = _place(bdev)
        _checked(_vm.ask("M", self._id, bdev.info()[3], ""))

    @staticmethod
    def mkfs(bdev, readsize=32, progsize=32, lookahead=32):
        _checked(_vm.ask("F", _place(bdev), bdev.info()[3], ""))

    def __repr__(self):
        return "<VfsLfs2>"

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        _vm.ask("U", self._id, 0, "")

    def open(self, path, mode):
        flags, binary = 0, False
        for letter in mode:
            if letter == "+":
                flags |= RDWR
            elif letter in "bt":
                binary = letter == "b"
            elif letter in MODES:
                if flags:
                    raise ValueError
                flags = MODES[letter]
        number = self._ask("O", path, flags or RDONLY)
        return FileIO(number) if binary else TextIOWrapper(number)

    def ilistdir(self, path=""):
        self._ask("L", path)
        as_bytes = isinstance(path, bytes)
        found = json.loads(_vm.text())
        entries = [(name, FOLDER if folder else FILE, 0, size) for name, folder, size in found]
        return iter([(e[0].encode(),) + e[1:] for e in entries] if as_bytes else entries)

    def stat(self, path):
        self._ask("S", path)
        found = _taken()
        mode = FOLDER if found[0] else FILE
        return (mode, 0, 0, 0, 0, 0, int.from_bytes(found[1:], "big"), 0, 0, 0)

    def statvfs(self, path):
        block_bytes = self._ask("V", "/")
        found = _taken()
        blocks, free = int.from_bytes(found[:4], "big"), int.from_bytes(found[4:], "big")
        return (block_bytes, block_bytes, blocks, free, free, 0, 0, 0, 0, NAME_MAX)

    def mkdir(self, path):
        self._ask("D", path)

    def remove(self, path):
        self._ask("E", path)

    rmdir = remove

    def rename(self, old, new):
        old = self._path(old)
        self._ask("N", old + self._path(new), len(old))

    def chdir(self, path):
        parts = []
        for part in self._path(path).split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        folder = "/" + "/".join(parts)
        if parts and self.stat(folder)[0] != FOLDER:
            raise OSError(ENOENT)
        self._cwd = folder + "/" if parts else "/"

    def getcwd(self):
        return self._cwd[:-1] or "/"

    def _ask(self, operation, path, argument=0):
        return _checked(_vm.ask(operation, self._id, argument, self._path(path)))

    def _path(self, path):
        path = path.decode() if isinstance(path, bytes) else path
        return path if path[:1] == "/" else self._cwd + path


def _place(bdev):
    return bdev.info()[2]


def _taken():
    data = bytearray(_vm.waiting())
    _vm.take(addressof(data))
    return bytes(data)
