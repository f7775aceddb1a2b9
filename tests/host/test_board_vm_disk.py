"""The virtual board's disk and flash: LittleFS as a board has it, full, damaged, and with the supply cut at any
write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from littlefs import LittleFS

from host_tools.virtual_board.vm import Cause, End
from tests.host.board_vms import TABLE, VFS_BYTES, VFS_OFFSET, Desk, desk, later

pytestmark = pytest.mark.vm

BLOCK_BYTES = 4096
OLD, NEW = b"old " * 300, b"new!" * 2000


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as one:
        one.boot()
        yield one


def image_files(board: Desk) -> dict[str, bytes]:
    """What another LittleFS finds in the flash."""
    fs = LittleFS(block_size=BLOCK_BYTES, block_count=VFS_BYTES // BLOCK_BYTES, mount=False)
    fs.context.buffer = bytearray(board.flash.read(VFS_OFFSET, VFS_BYTES))
    fs.mount()
    found = {}
    for folder, _, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with fs.open(path, "rb") as file:
                found[path] = file.read()
    return found


def test_files_lie_in_the_flash_as_little_fs_and_last(board: Desk) -> None:
    data = bytes(range(256)) * 40
    board.run(f"import os\nos.mkdir('d')\nwith open('/d/f', 'wb') as f: f.write({data!r})")
    assert image_files(board)["/d/f"] == data
    board.vm.kill()
    board.boot()
    assert (
        board.run("f = open('d/f', 'rb'); d = f.read(); print(len(d), d == bytes(range(256)) * 40)") == "10240 True\n"
    )


def test_a_file_left_open_is_written_by_a_soft_reset(board: Desk) -> None:
    board.run("f = open('left', 'w')\nf.write('here')")
    board.take(lambda: board.vm.feed(b"\x04"))
    assert board.run("print(open('left').read())") == "here\n"


def test_text_files(board: Desk) -> None:
    code = """
with open('t', 'w') as f:
    print(f.write('a\\ngr\\u00fc\\u00dfe\\n\\u20ac\\n'), f)
with open('t') as f:
    print([f.read(1), f.read(3), f.read(2), f.readline(), f.read()])
with open('t') as f:
    print(list(f), f.read(), f.readline())
with open('t', 'a') as f:
    f.write('end')
print(open('t').readlines(), len(open('t', 'rb').read()))
"""
    assert board.run(code).splitlines() == [
        "14 <io.TextIOWrapper>",
        "['a', '\\ngr', '\\xfc\\xdf', 'e\\n', '\\u20ac\\n']",
        "['a\\n', 'gr\\xfc\\xdfe\\n', '\\u20ac\\n']  ",
        "['a\\n', 'gr\\xfc\\xdfe\\n', '\\u20ac\\n', 'end'] 17",
    ]


def test_binary_files(board: Desk) -> None:
    code = """
with open('b', 'wb') as f:
    print(f.write(b'0123456789'), f.write(bytearray(b'ab')), f.write(memoryview(b'xcdx')[1:3]), f.tell(), f)
with open('b', 'r+b') as f:
    print(f.seek(2), f.write(b'__'), f.seek(-2, 2), f.read(), f.seek(-1, 1), f.read(9), f.seek(0), f.read())
part = bytearray(4)
with open('b', 'rb') as f:
    print(f.readinto(part), bytes(part), f.readinto(part, 2), part, f.read(0))
    print(f.read(100), f.read(), f.readinto(part))
try:
    f.read()
except ValueError:
    print('closed')
"""
    assert board.run(code).splitlines() == [
        "10 2 2 14 <io.FileIO>",
        "2 2 12 b'cd' 13 b'd' 0 b'01__456789abcd'",
        "4 b'01__' 2 bytearray(b'45__') b''",
        "b'6789abcd' b'' 0",
        "closed",
    ]


@pytest.mark.parametrize(
    ("code", "errno"),
    [
        ("open('nix')", 2),
        ("open('nix/f', 'w')", 2),
        ("open('boot.py', 'x')", 17),
        ("open('d', 'w')", 21),
        ("os.stat('nix')", 2),
        ("os.mkdir('d')", 17),
        ("os.remove('nix')", 2),
        ("os.rmdir('d')", 39),
        ("os.listdir('nix')", 2),
        ("os.listdir('boot.py')", 20),
        ("os.rename('nix', 'x')", 2),
        ("os.chdir('nix')", 2),
        ("os.chdir('boot.py')", 2),
    ],
)
def test_errors_have_a_boards_numbers(board: Desk, code: str, errno: int) -> None:
    board.run("import os\nos.mkdir('d')\nopen('d/f', 'w').close()")
    assert board.run(f"import os\ntry: {code}\nexcept OSError as e: print(e.errno)") == f"{errno}\n"


def test_folders(board: Desk) -> None:
    code = """
import os
os.mkdir('a'); os.mkdir('/a/b'); os.chdir('a/b')
open('f', 'w').close()
print(os.getcwd(), os.listdir(), os.listdir(b'..'), list(os.ilistdir('/a')))
os.chdir('../.'); print(os.getcwd(), os.stat('b'), os.stat('/a/b/f')[0])
os.rename('b/f', '/g'); os.chdir('/'); print(os.getcwd(), sorted(os.listdir()))
os.rmdir('a/b'); os.remove('a'); os.unlink('g'); print(os.listdir('/'))
"""
    assert board.run(code).splitlines() == [
        "/a/b ['f'] [b'b'] [('b', 16384, 0, 0)]",
        "/a (16384, 0, 0, 0, 0, 0, 0, 0, 0, 0) 32768",
        "/ ['a', 'boot.py', 'g']",
        "['boot.py']",
    ]


def test_modules_come_from_the_disk(board: Desk) -> None:
    code = """
import os, sys
os.mkdir('lib'); os.mkdir('lib/pack')
for path, text in (('one.py', 'n = 1'), ('lib/two.py', 'n = 2'), ('lib/pack/__init__.py', 'n = 3')):
    with open(path, 'w') as f: f.write(text)
import one, two, pack
print(one.n, two.n, pack.n, pack.__file__)
"""
    assert board.run(code) == "1 2 3 /lib/pack/__init__.py\n"


def test_a_full_disk_is_an_error_28_and_deleting_helps(board: Desk) -> None:
    code = """
import os
free = os.statvfs('/')[3]
try:
    with open('big', 'wb') as f:
        while True: n = f.tell(); f.write(bytes(4096))
except OSError as e:
    print(e.errno, free, free - n // 4096)
os.remove('big')
with open('ok', 'w') as f: print(f.write('ok'))
"""
    lines = board.run(code).splitlines()
    errno, free, left = map(int, lines[0].split())
    assert (errno, lines[1]) == (28, "2")
    assert free > 500
    assert left < 5


def test_the_disk_is_filled_and_emptied_from_outside(board: Desk) -> None:
    board.vm.fill_disk(20_000)
    code = "import os\nprint(os.statvfs('/')[3] * 4096)\n"
    code += "try:\n open('f', 'wb').write(bytes(60000))\nexcept OSError as e: print(e)"
    free, error = board.run(code).splitlines()
    assert 4096 <= int(free) <= 20_000
    assert error == "28"
    board.vm.empty_disk()
    board.vm.fill_disk(0)
    assert board.run("import os; print(os.statvfs('/')[3] < 3)") == "True\n"
    board.vm.empty_disk()
    assert board.run(code.replace("60000", "9")).splitlines()[0] > "1000000"


def test_a_damaged_file_system_is_said_and_left_alone(tmp_path: Path) -> None:
    with desk(tmp_path) as board:
        board.flash.program(VFS_OFFSET, b"\x00" * 8192)
        with later(board.vm.interrupt, 1.0):
            said = board.boot()
        assert said.startswith("The filesystem appears to be corrupted.")
        assert "KeyboardInterrupt" in said
        assert board.flash.read(VFS_OFFSET, 8192) == bytes(8192)
        assert (
            board.run("import os\ntry: os.listdir('/'); open('x', 'w')\nexcept OSError as e: print(e.errno)")
            == "19\n"
        )


def cut_run(folder: Path, operations: int, torn: bool) -> tuple[bool, bytes, str]:
    """Replaces a file's content by way of a second file, with the supply cut after so many flash operations.

    -> (whether it was cut, what the board has afterwards, what it said).
    """
    folder.mkdir()
    with desk(folder) as board:
        board.boot()
        board.run(f"with open('f', 'wb') as f: f.write({OLD!r})")
        board.flash.order_cut(after_ops=operations, torn=torn)
        code = "import os\nwith open('g', 'wb') as f: f.write(b'new!' * 2000)\nos.rename('g', 'f')\nprint('done')"
        ended = board.last(code)
        cut = ended.end is End.POWER_CUT
        assert cut or ended.end is End.PROMPT
        said = board.heard()
        board.vm.kill()
        board.flash.power_on()
        board.boot(Cause.PWRON)
        board.run("import os\nkept = open('f', 'rb').read()\nwith open('after', 'w') as f: f.write('ok')")
        return cut, image_files(board)["/f"], said


@pytest.mark.parametrize("torn", [False, True])
def test_the_supply_may_go_at_any_operation(tmp_path: Path, torn: bool) -> None:
    results = []
    for step, operations in enumerate((*range(0, 90, 10), *range(90, 400, 2))):
        cut, content, said = cut_run(tmp_path / str(step), operations, torn)
        results.append((cut, content == NEW))
        assert content in (OLD, NEW)
        assert not cut or "done" not in said
        if not cut:
            break
    assert results[0] == (True, False)
    assert results[-1] == (False, True)


def test_partitions_lie_on_the_chip(board: Desk) -> None:
    code = """
from esp32 import Partition
import esp
print(Partition(Partition.RUNNING).info()[4], Partition(Partition.BOOT).info()[4], esp.flash_size())
print([p.info()[2:5] for p in Partition.find(Partition.TYPE_DATA)])
p = Partition('pv_keys')
p.writeblocks(1, b'key' + bytes(4093))
p.ioctl(6, 0); p.writeblocks(0, b'abc', 5)
got = bytearray(4); p.readblocks(0, got, 4); print(got)
"""
    assert board.run(code).splitlines() == [
        "factory factory 4194304",
        "[(36864, 24576, 'nvs'), (61440, 4096, 'phy_init'), (2097152, 16384, 'pv_keys'), (2113536, 2080768, 'vfs')]",
        "bytearray(b'\\xffabc')",
    ]
    keys = next(region for region in TABLE if region.label == "pv_keys")
    assert board.flash.read(keys.offset_bytes, 9) == b"\xff" * 5 + b"abc\xff"
    assert board.flash.read(keys.offset_bytes + 4096, 4) == b"key\0"


def test_a_power_cut_in_a_partition_ends_the_vm(board: Desk) -> None:
    board.flash.order_cut(after_bytes=100)
    ended = board.last("from esp32 import Partition\nPartition('pv_keys').writeblocks(0, bytes(200), 0)\nprint('on')")
    assert ended.end is End.POWER_CUT
    assert b"on" not in board.said
    board.flash.power_on()
    assert board.flash.read(0x200000, 200).count(0) == 100


def test_a_table_with_a_file_system_is_taken_at_its_word(tmp_path: Path) -> None:
    with desk(tmp_path) as board:
        board.vm.hardware.regions = (*TABLE[:3], TABLE[0]._replace(label="vfs", subtype=0x81, offset_bytes=0x200000))
        assert board.vm.hardware.partitions() == board.vm.hardware.regions
        board.boot()
        assert board.run("import os; print(os.statvfs('/')[2])") == "6\n"
