"""Raw paste as the board speaks it: windows, ends, and the same code however the line cuts it up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.virtual_board.prompt import Prompt
from host_tools.virtual_board.raw_paste import ACCEPTED, WINDOW_BYTES, RawPaste

CODE = st.binary(max_size=1000).map(lambda data: data.translate(None, b"\x03\x04"))


class Vm:
    """What the prompt asks of the VM, kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.said = b""
        self.raw = True

    def request(self, kind: str, payload: bytes) -> dict[str, object]:
        self.asked.append((kind, payload))
        empty = kind == "X" or payload[-1:] in (b"\x01", b"\x02", b"\x03", b"\x04")
        return {"raw": self.raw, "empty": empty, "exit": False}

    def output(self, data: bytes) -> None:
        self.said += data


def fed(pieces: list[bytes], *, raw: bool = True) -> Vm:
    vm = Vm()
    vm.raw = raw
    prompt = Prompt(vm.request, vm.output, raw=raw)
    for piece in pieces:
        prompt.pending += piece
        assert prompt.feed()
    return vm


@given(CODE, st.lists(st.integers(1, 300)))
def test_code_arrives_whole_however_it_is_cut(code: bytes, cuts: list[int]) -> None:
    line, pieces = code + b"\x04rest", []
    for cut in cuts:
        pieces.append(line[:cut])
        line = line[cut:]
    paste, said, found, rest = RawPaste(), b"", None, b""
    for piece in [*pieces, line]:
        if found is not None:
            rest += piece
            continue
        pasted = paste.feed(piece)
        said += pasted.said
        found, rest = pasted.code, pasted.rest
        assert not pasted.interrupted
    assert (found, rest) == (code, b"rest")
    assert said == b"\x01" * (len(code) // WINDOW_BYTES) + b"\x04"


def test_a_window_is_granted_when_the_last_is_used_up() -> None:
    paste = RawPaste()
    assert paste.feed(b"x" * (WINDOW_BYTES - 1)).said == b""
    assert paste.feed(b"x").said == b"\x01"
    assert paste.feed(b"x" * (2 * WINDOW_BYTES + 1)).said == b"\x01\x01"
    assert paste.feed(b"x" * (WINDOW_BYTES - 1)).said == b"\x01"


def test_ctrl_c_throws_the_code_away() -> None:
    vm = fed([b"\x05A\x01print(1)\x03print(2)\x04"])
    assert vm.said == ACCEPTED + b"\x04\x04KeyboardInterrupt: \r\n\x04>"
    assert vm.asked == [("K", b"print(2)\x04")]


@pytest.mark.parametrize("cuts", [(1,), (2,), (1, 2), (3,), (5,)])
def test_the_question_may_come_in_pieces(cuts: tuple[int, ...]) -> None:
    line, pieces, at = b"\x05A\x01a=1\x04", [], 0
    for cut in cuts:
        pieces.append(line[at:cut])
        at = cut
    vm = fed([*pieces, line[at:]])
    assert (vm.said, vm.asked) == (ACCEPTED + b"\x04", [("X", b"a=1")])


def test_another_question_is_the_vms_to_refuse() -> None:
    assert fed([b"\x05B\x01"]).asked == [("K", b"\x05B\x01")]


def test_the_friendly_prompt_takes_ctrl_e_for_paste_mode() -> None:
    assert fed([b"\x05A\x01"], raw=False).asked == [("K", b"\x05"), ("K", b"A\x01")]


def test_code_is_not_split_from_what_ends_it() -> None:
    assert fed([b"a=1\nb=2\x04\x04\x02"]).asked == [("K", b"a=1\nb=2\x04"), ("K", b"\x04"), ("K", b"\x02")]


def test_nothing_to_run_is_no_soft_reset() -> None:
    assert fed([b"\x05A\x01\x04"]).asked == [("X", b"\n")]


@given(CODE)
def test_keys_inside_of_code_are_not_pressed(code: bytes) -> None:
    [(kind, sent)] = fed([b"\x05A\x01" + code + b"\x04"]).asked
    assert kind == "X"
    assert not {1, 2, 3, 4} & set(sent)
    if sent.startswith(b"exec(b"):
        assert eval(sent.removeprefix(b"exec")) == code
    else:
        assert sent == (code or b"\n")
