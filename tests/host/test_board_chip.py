"""The virtual board's flash chip: what NOR flash does, and what a power cut leaves."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.errors import PlumveilError
from host_tools.virtual_board.chip import BLOCK_BYTES, FlashChip, PowerCut

SIZE = 4 * BLOCK_BYTES


@pytest.fixture
def chip(tmp_path):
    chip = FlashChip(tmp_path / "flash.bin", SIZE)
    yield chip
    chip.close()


def zero_by_tens(chip, n):
    for at in range(0, n, 10):
        chip.program(at, b"\x00" * 10)


def test_new_chip_is_blank(chip):
    assert chip.read(0, SIZE) == b"\xff" * SIZE


def test_programming_clears_bits_only_and_erasing_sets_a_block(chip):
    chip.program(10, b"\xf0\x0f\x00")
    chip.program(10, b"\x3c\xff\xff")
    assert chip.read(9, 5) == b"\xff\x30\x0f\x00\xff"
    chip.program(BLOCK_BYTES, b"\x00")
    chip.erase(0, BLOCK_BYTES)
    assert chip.read(0, BLOCK_BYTES + 1) == b"\xff" * BLOCK_BYTES + b"\x00"


def test_content_stays_in_the_file(tmp_path):
    path = tmp_path / "flash.bin"
    first = FlashChip(path, SIZE)
    first.program(5, b"kept")
    assert path.read_bytes()[5:9] == b"kept", "another process sees it at once"
    first.close()
    assert FlashChip(path, SIZE).read(5, 4) == b"kept"


def test_short_file_is_blank_behind_its_end_and_a_longer_one_is_refused(tmp_path):
    path = tmp_path / "flash.bin"
    path.write_bytes(b"abc")
    assert FlashChip(path, SIZE).read(0, 5) == b"abc\xff\xff"
    with pytest.raises(PlumveilError, match="choose another"):
        FlashChip(path, SIZE - BLOCK_BYTES)


@pytest.mark.parametrize(("at", "n"), [(-1, 1), (SIZE, 1), (SIZE - 1, 2), (0, SIZE + 1)])
def test_places_beyond_the_chip_are_refused(chip, at, n):
    with pytest.raises(ValueError, match="beyond"):
        chip.read(at, n)
    with pytest.raises(ValueError, match="beyond"):
        chip.program(at, b"\x00" * n)


@pytest.mark.parametrize(("at", "n"), [(1, BLOCK_BYTES), (0, 1), (0, BLOCK_BYTES + 1)])
def test_parts_of_blocks_are_not_erased(chip, at, n):
    chip.program(0, b"\x00" * SIZE)
    with pytest.raises(ValueError, match="whole blocks"):
        chip.erase(at, n)
    assert chip.read(0, SIZE) == b"\x00" * SIZE


@given(after=st.integers(0, 100), torn=st.booleans())
def test_cut_after_bytes(tmp_path_factory, after, torn):
    chip = FlashChip(tmp_path_factory.mktemp("chip") / "flash.bin", SIZE, seed=after)
    chip.order_cut(after_bytes=after, torn=torn)
    with pytest.raises(PowerCut):
        zero_by_tens(chip, 120)
    with pytest.raises(PowerCut):
        chip.read(0, 1)
    chip.power_on()
    content = chip.read(0, 120)
    chip.close()
    assert content[:after] == b"\x00" * after
    behind = content[after:]
    if torn and after % 10:
        assert 0 < behind.count(b"\xff") < len(behind) or after > 110
    if not torn:
        assert behind == b"\xff" * len(behind)


def test_cut_after_operations_torn_leaves_half_and_some_bits(chip):
    chip.program(0, b"\x00" * BLOCK_BYTES)
    chip.order_cut(after_ops=1, torn=True)
    chip.program(BLOCK_BYTES, b"\x00")
    with pytest.raises(PowerCut):
        chip.erase(0, BLOCK_BYTES)
    chip.power_on()
    block = chip.read(0, BLOCK_BYTES)
    half = BLOCK_BYTES // 2
    assert block[:half] == b"\xff" * half
    assert set(block[half:]) - {0, 0xFF}, "no half-done bytes"


def test_cut_after_operations_clean_leaves_the_write_undone(chip):
    chip.order_cut(after_ops=0)
    with pytest.raises(PowerCut):
        chip.program(0, b"\x00" * 64)
    chip.power_on()
    assert chip.read(0, 64) == b"\xff" * 64


def test_erasing_several_blocks_is_cut_between_them(chip):
    chip.program(0, b"\x00" * SIZE)
    chip.order_cut(after_ops=2)
    with pytest.raises(PowerCut):
        chip.erase(0, SIZE)
    chip.power_on()
    assert chip.read(0, SIZE) == b"\xff" * 2 * BLOCK_BYTES + b"\x00" * 2 * BLOCK_BYTES


def test_a_supply_that_is_there_forgets_no_order(chip):
    """A board's start gives it the supply, perhaps after somebody has ordered a cut."""
    chip.order_cut(after_ops=0)
    chip.power_on()
    with pytest.raises(PowerCut):
        chip.program(0, b"\0")


def test_power_on_forgets_the_order_and_the_board_is_told_of_a_cut(chip):
    told = []
    chip.on_cut = lambda: told.append(chip.powered)
    chip.order_cut(after_ops=0)
    chip.power_off()
    chip.power_on()
    chip.program(0, b"\x00")
    assert told == []
    chip.order_cut(after_bytes=0)
    with pytest.raises(PowerCut):
        chip.program(1, b"\x00")
    assert told == [False]


def test_supply_off_answers_nothing(chip):
    chip.power_off()
    for act in (lambda: chip.read(0, 1), lambda: chip.program(0, b""), lambda: chip.erase(0, BLOCK_BYTES)):
        with pytest.raises(PowerCut):
            act()


def test_power_cut_is_no_ordinary_exception():
    assert not issubclass(PowerCut, Exception)


def test_random_writes_are_those_of_a_plain_model(chip):
    dice = random.Random(4)
    model = bytearray(b"\xff" * SIZE)
    for _ in range(300):
        if dice.random() < 0.1:
            block = dice.randrange(4) * BLOCK_BYTES
            chip.erase(block, BLOCK_BYTES)
            model[block : block + BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
            continue
        data = dice.randbytes(dice.randrange(1, 300))
        at = dice.randrange(SIZE - len(data))
        chip.program(at, data)
        for index, byte in enumerate(data, at):
            model[index] &= byte
    assert chip.read(0, SIZE) == bytes(model)
