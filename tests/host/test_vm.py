"""The VM runner itself: what it records, what it refuses, and how it ends a VM that crashes or hangs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from host_tools.vm import RunResult, Vm, VmError
from tests.host.pace import Pace

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    with Vm(firmware=False) as one:
        yield one


def said(result: RunResult) -> str:
    assert result.ok, result.error
    return result.output.strip()


def test_result_of_code_that_ends_well(vm: Vm) -> None:
    lines: list[tuple[str, bytes]] = []
    result = vm.run("print('one')\nprint('two')", on_frame=lambda kind, data: lines.append((kind, data)))
    assert result == RunResult(True, "one\ntwo\n")
    assert lines == [("output", b"one\n"), ("output", b"two\n")]


def test_an_exception_is_a_result_and_the_vm_goes_on(vm: Vm) -> None:
    result = vm.run("{}['missing']")
    assert (result.ok, result.error_type) == (False, "KeyError")
    assert "KeyError: missing" in result.error
    assert said(vm.run("print(2 + 2)")) == "4"


@pytest.mark.parametrize(("code", "ok"), [("", True), ("0", True), ("None", True), ("3", False), ("'why'", False)])
def test_system_exit(vm: Vm, code: str, ok: bool) -> None:
    result = vm.run(f"raise SystemExit({code})")
    assert (result.ok, result.exited) == (ok, True)


def test_files(vm: Vm) -> None:
    content = bytes(range(256)) * 5
    vm.put("/deep/er/file.bin", content)
    vm.put("/deep/empty", b"")
    assert vm.get("/deep/er/file.bin") == content
    assert vm.tree("/deep") == {"/deep/er/file.bin": content, "/deep/empty": b""}
    assert vm.get("/deep") is None
    assert vm.get("/none") is None
    assert vm.tree("/none") == {}
    assert said(vm.run("print(len(open('/deep/er/file.bin', 'rb').read()))")) == "1280"


def test_every_write_of_the_vm_is_recorded_and_none_of_the_host() -> None:
    with Vm(firmware=False) as vm:
        vm.put("/given", b"host")
        seen: list[str] = []
        code = """
import os
os.mkdir('/pv')
with open('/pv/a', 'wb') as f:
    f.write(b'first')
    f.seek(1)
    f.write(b'XY')
with open('/pv/a', 'ab') as f:
    f.write(b'end')
os.rename('/pv/a', '/pv/b')
print('not flash')
"""
        assert vm.run(code, on_frame=lambda kind, _: seen.append(kind)).ok
        names = [("/pv", b""), ("/pv/a", b"")]
        assert vm.flash_writes == [*names, ("/pv/a", b"first"), ("/pv/a", b"XY"), ("/pv/a", b"end"), ("/pv/b", b"")]
        assert seen.count("flash") == len(vm.flash_writes)
        assert vm.tree("/pv") == {"/pv/b": b"fXYstend"}


def test_modules_a_board_does_not_have_are_not_found(vm: Vm) -> None:
    for name in ("hmac", "abc", "unittest", "typing", "datetime"):
        assert vm.run(f"import {name}").error_type == "ImportError"


def test_virtual_clock(vm: Vm) -> None:
    code = """
import time, world
world.reset({"start_unix_s": 1800000000, "clock_set": True}, {})
a = time.ticks_ms()
time.sleep(3600)
time.sleep_us(1500)
time.sleep_us(1500)
print(time.time() + 946684800, time.ticks_diff(time.ticks_ms(), a), time.gmtime(0)[0], time.gmtime()[:6])
print(time.mktime(time.gmtime(829958400)), time.ticks_diff(5, (1 << 30) - 5), time.ticks_add((1 << 30) - 1, 2))
"""
    with Pace() as pace:
        lines = said(vm.run(code)).splitlines()
    assert lines == ["1800003600 3600003 2000 (2027, 1, 15, 9, 0, 0)", "829958400 10 1"]
    assert pace.under(10), pace


def test_randomness() -> None:
    def draw(seed: str | None) -> str:
        with Vm(firmware=False, seed=seed) as one:
            return said(one.run("import os, random\nprint(os.urandom(20), os.urandom(0), random.getrandbits(30))"))

    assert draw("a") == draw("a")
    assert len({draw("a"), draw("b"), draw(None), draw(None)}) == 4


def test_aes_with_the_key_and_block_of_fips_197(vm: Vm) -> None:
    code = """
from binascii import hexlify, unhexlify
from uctypes import addressof
import _vm
out = bytearray(16)
text = unhexlify("00112233445566778899aabbccddeeff")
for n in (16, 32):
    key = bytes(range(n))
    print(_vm.aes(addressof(key), n, 1, 0, addressof(text), addressof(out), 16), hexlify(out).decode())
    print(_vm.aes(addressof(key), n, -1, 0, addressof(out), addressof(out), 16), bytes(out) == text)
print(_vm.aes(addressof(key), 24, 1, 0, addressof(text), addressof(out), 16), _vm.aes("nonsense"))
"""
    fips_197 = {16: "69c4e0d86a7b0430d8cdb78070b4c55a", 32: "8ea2b7ca516745bfeafc49904b496089"}
    lines = said(vm.run(code)).splitlines()
    assert lines == [f"16 {fips_197[16]}", "16 True", f"16 {fips_197[32]}", "16 True", "-22 -22"]


def test_loop_collects_garbage_between_the_calls(vm: Vm) -> None:
    code = """
import gc
n = most = 0
def turn():
    global n, most
    n += 1
    most = max(most, gc.mem_alloc())
    bytearray(2000)
    return n < 20000
"""
    assert vm.run(code).ok
    assert vm.loop("turn").ok
    turns, most_bytes = map(int, said(vm.run("print(n, most)")).split())
    # Without, 40 MB would be in use at the end.
    assert turns == 20000
    assert most_bytes < 1_000_000


def test_loop_ends_with_an_exception_and_wants_a_function(vm: Vm) -> None:
    assert vm.run("def bad():\n    raise ValueError('here')").ok
    assert vm.loop("bad").error_type == "ValueError"
    assert vm.loop("no_such_name").error_type == "NameError"


def test_callbacks_get_output_and_progress() -> None:
    printed: list[str] = []
    reported: list[str] = []
    with Vm(firmware=False, on_output=printed.append, on_progress=reported.append) as one:
        one.run("import _vm\nprint('grüße')\n_vm.progress('1/2')\nprint('no newline', end='')")
    assert (printed, reported) == (["grüße\n", "no newline"], ["1/2"])


def test_a_vm_that_hangs_is_killed() -> None:
    with Vm(firmware=False) as one:
        with pytest.raises(VmError, match=r"did not answer within 0.5 s and was killed"):
            one.run("while True:\n    pass", timeout_s=0.5)
        with pytest.raises(VmError, match="not running"):
            one.run("print(1)")


def test_a_vm_is_entered_once() -> None:
    with Vm(firmware=False) as one, pytest.raises(VmError, match="running already"):
        one.__enter__()


def test_a_vm_that_breaks_down_says_how() -> None:
    with Vm(firmware=False) as one, pytest.raises(VmError, match=r"broke down:\n[^$]*memory access out of bounds"):
        one.run("import uctypes\nuctypes.bytearray_at(0x7fffffff, 10)[0] = 1")


def test_a_callback_that_raises_ends_the_vm() -> None:
    def refuse(kind: str, data: bytes) -> None:
        raise ValueError(kind)

    with Vm(firmware=False) as one:
        with pytest.raises(ValueError, match="output"):
            one.run("print('x')\nwhile True:\n    pass", on_frame=refuse)
        with pytest.raises(VmError):
            one.run("print(1)")


def test_endless_printing_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_tools.vm.machine.OUTPUT_MAX_BYTES", 10_000)
    with Vm(firmware=False) as one, pytest.raises(VmError, match="printed more than"):
        one.run("while True:\n    print('x' * 100)")


def test_three_at_once() -> None:
    def day(number: int) -> list[str]:
        with Vm(firmware=False) as one:
            return [said(one.run(f"print({number} * {i})")) for i in range(50)]

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(day, range(3)))
    assert results == [[str(n * i) for i in range(50)] for n in range(3)]
