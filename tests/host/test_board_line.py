"""What a bad line does to bytes, what DTR and RTS do to the chip, what waits in its UART: no board behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.errors import UsageError
from host_tools.virtual_board.inbox import INPUT_MAX_BYTES, Inbox
from host_tools.virtual_board.line import LineFaults
from host_tools.virtual_board.reset_lines import RISE_S, ResetLines
from host_tools.virtual_board.rom import SYNC_BYTES
from tests.host.boardtools import SYNC

BYTES = bytes(range(256)) * 8


def carried(faults, way, data, piece=7):
    """What comes through, fed in small pieces, until the cable is out."""
    out = b""
    for at in range(0, len(data), piece):
        passed = faults.carry(way, data[at : at + piece])
        out += passed.data
        if passed.cut:
            return out, True
    return out, False


# the line's faults


@given(st.binary(max_size=200), st.integers(1, 50))
def test_a_sound_line_changes_nothing(data, piece):
    assert carried(LineFaults(), "in", data, piece) == (data, False)


@given(count=st.integers(0, 100), piece=st.integers(1, 40))
def test_drop_loses_exactly_the_next_bytes(count, piece):
    faults = LineFaults()
    faults.drop("in", count)
    assert carried(faults, "in", BYTES, piece)[0] == BYTES[count:]
    assert carried(faults, "out", BYTES, piece)[0] == BYTES, "the other way is sound"


@given(count=st.integers(0, 100), piece=st.integers(1, 40))
def test_garble_changes_exactly_the_next_bytes(count, piece):
    faults = LineFaults()
    faults.garble("out", count)
    out, _ = carried(faults, "out", BYTES, piece)
    assert len(out) == len(BYTES)
    assert all(a != b for a, b in zip(out[:count], BYTES[:count], strict=True))
    assert out[count:] == BYTES[count:]


@pytest.mark.parametrize("kind", ["drop", "garble"])
def test_rates_hit_about_as_many_as_they_say(kind):
    faults = LineFaults(seed=3)
    getattr(faults, kind)("in", 0, 0.1)
    data = bytes(100) * 100
    out, _ = carried(faults, "in", data)
    hit = len(data) - len(out) if kind == "drop" else sum(byte != 0 for byte in out)
    assert 800 < hit < 1200


@given(after=st.integers(0, 300), piece=st.integers(1, 64))
def test_cut_lets_exactly_so_many_bytes_through(after, piece):
    faults = LineFaults()
    faults.cut("in", after)
    out, cut = carried(faults, "in", BYTES, piece)
    assert (out, cut) == (BYTES[:after], True)
    assert carried(faults, "in", BYTES, piece) == (BYTES, False), "once only"


def test_clear_makes_the_line_sound():
    faults = LineFaults()
    faults.drop("in", 9, 0.5)
    faults.garble("in", 9, 0.5)
    faults.cut("in", 3)
    faults.slow("in", 10)
    faults.clear()
    assert carried(faults, "in", BYTES) == (BYTES, False)
    assert faults.share("in", 100) == (100, 0.0)


def test_slow_shares_out_as_many_bytes_as_the_rate_says():
    faults = LineFaults()
    faults.slow("out", 1000)
    left, busy_s = 500, 0.0
    while left:
        share, wait_s = faults.share("out", left)
        left -= share
        busy_s += wait_s
    assert busy_s == pytest.approx(0.5)


@pytest.mark.parametrize(("count", "rate"), [(-1, 0.0), (0, -0.1), (0, 1.1)])
def test_impossible_faults_are_refused(count, rate):
    with pytest.raises(UsageError):
        LineFaults().drop("in", count, rate)


# reset lines


class Chip:
    """Notes what the lines do to it."""

    def __init__(self):
        self.seen: list[str] = []
        self.lines = ResetLines(
            lambda: self.seen.append("held"), lambda low: self.seen.append("load" if low else "run")
        )

    def play(self, *steps):
        """steps: (seconds later, {lines}); settles in between as the port does."""
        now_s = 0.0
        for wait_s, levels in (*steps, (1.0, {})):
            until_s = now_s + wait_s
            while now_s < until_s:
                now_s += 0.01
                self.lines.settle(now_s)
            self.lines.set(now_s, **levels)
        return self.seen


@pytest.mark.parametrize("trip_s", [0.0, 0.001, 0.05])
def test_classic_reset_enters_the_loader(trip_s):
    # esptool's ClassicReset, one line after the other, with the network's pause between them.
    steps = [
        (0, {"dtr": False}),
        (trip_s, {"rts": True}),
        (0.1 + trip_s, {"dtr": True}),
        (trip_s, {"rts": False}),
        (0.05 + trip_s, {"dtr": False}),
    ]
    assert Chip().play(*steps) == ["held", "load"]


def test_hard_reset_runs_the_application():
    assert Chip().play((0, {"rts": True}), (0.1, {"rts": False})) == ["held", "run"]


def test_opening_a_port_with_both_lines_set_resets_nothing():
    assert Chip().play((0, {"dtr": True}), (0.05, {"rts": True})) == []
    assert Chip().play((0, {"dtr": True, "rts": True}), (1, {"dtr": False, "rts": False})) == []


def test_chip_stays_in_reset_for_as_long_as_the_line_is_low():
    assert Chip().play((0, {"rts": True}), (5, {})) == ["held"]
    assert RISE_S < 1


# the UART


@given(data=st.binary(max_size=60), piece=st.integers(1, 60))
def test_a_flashers_call_is_heard_however_it_is_cut(data, piece):
    assert len(SYNC) == SYNC_BYTES
    stream, heard = data + SYNC, b""
    inbox = Inbox()
    for at in range(0, len(stream), piece):
        heard = heard or inbox.call(stream[at : at + piece])
    assert SYNC in heard
    assert inbox.call(b"x" * 60) == b"", "it is heard once"


def test_what_is_no_call_is_none():
    inbox = Inbox()
    assert inbox.call(SYNC[:-1]) == b""
    assert inbox.call(b"x") == b""
    assert inbox.call(SYNC[1:]) == b""


def test_bytes_come_out_as_they_went_in_and_no_more_than_fit():
    inbox = Inbox()
    inbox.put(BYTES)
    assert inbox.take(5) + inbox.take() == BYTES
    for _ in range(100):
        inbox.put(BYTES)
    assert len(inbox) == INPUT_MAX_BYTES


def test_ctrl_c_is_taken_out_wherever_it_stands():
    inbox = Inbox()
    inbox.put(b"a\x03b\x03")
    assert inbox.take_ctrl_c()
    assert not inbox.take_ctrl_c()
    assert inbox.take() == b"ab"


def test_a_deaf_board_gives_nothing_out():
    inbox = Inbox()
    inbox.put(b"a\x03")
    inbox.deafen(60)
    assert (inbox.take(), inbox.take_ctrl_c(), inbox.readable) == (b"", False, False)
    inbox.deafen(0)
    assert inbox.readable
    assert inbox.take_ctrl_c()
