"""boot.py and main.py as a board runs them: which version of the firmware starts, and what becomes of a bad one."""

from __future__ import annotations

import pytest

from host_tools.firmware_build import compile_firmware
from host_tools.vm import Vm
from plumveil import wire

pytestmark = pytest.mark.vm

WHERE = "import sys; print([path for path in sys.path if path.startswith('/pv/')])"
FORGET = """
import sys
for name in list(sys.modules):
    if name.startswith("plumveil"):
        sys.modules.pop(name)
sys.path[:] = [path for path in sys.path if not path.startswith("/pv/")]
"""


class Board:
    """A VM with both versions on its flash; booting takes the place of a fresh start."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        self.files = compile_firmware()
        for slot in wire.SLOTS:
            for name, data in self.files.items():
                if name.startswith("plumveil/"):
                    vm.put(f"{wire.FOLDER_SLOT}{slot}/{name}", data)

    def boot(self) -> tuple[str, bool]:
        """-> (slot that was chosen, whether the board then reset itself)."""
        self.vm.run(FORGET)
        assert self.vm.run(self.files["boot.py"].decode()).ok
        chosen = self.vm.run(WHERE).output.strip()
        ended = self.vm.run(self.files["main.py"].decode())
        assert ended.ok or ended.error_type == "Restart", ended.error
        return chosen.strip("[]'").removeprefix(wire.FOLDER_SLOT), ended.error_type == "Restart" or ended.exited

    def trial(self) -> str:
        return (self.vm.get(wire.FILE_TRIAL) or b"").decode()


@pytest.fixture(scope="module")
def vm():
    with Vm(firmware=False) as vm:
        yield vm


@pytest.fixture
def board(vm: Vm) -> Board:
    for path in (wire.FILE_SLOT, wire.FILE_TRIAL):
        vm.run(f"import os\ntry: os.remove({path!r})\nexcept OSError: pass")
    return Board(vm)


def test_the_slot_in_force_is_taken(board: Board) -> None:
    for slot in wire.SLOTS:
        board.vm.put(wire.FILE_SLOT, slot.encode())
        assert board.boot() == (slot, False)


def test_without_slots_the_path_is_left_alone(board: Board) -> None:
    assert board.boot()[0] == ""


def test_a_version_that_cannot_start_gives_way_after_its_starts(board: Board) -> None:
    board.vm.put(wire.FILE_SLOT, b"a")
    board.vm.put(wire.FILE_TRIAL, f"b{wire.TRIAL_STARTS}".encode())
    board.vm.put(f"{wire.FOLDER_SLOT}b/plumveil/service.mpy", b"M\x06")
    for left in range(wire.TRIAL_STARTS - 1, -1, -1):
        assert board.boot() == ("b", True)
        assert board.trial() == f"b{left}"
    assert board.boot() == ("a", False)


def test_a_trial_that_cannot_be_counted_gives_way_at_once(board: Board) -> None:
    board.vm.put(wire.FILE_SLOT, b"a")
    board.vm.put(wire.FILE_TRIAL, b"b3")
    board.vm.put(f"{wire.FOLDER_SLOT}b/plumveil/service.mpy", b"M\x06")
    board.vm.run(f"import os; os.mkdir({wire.FILE_TRIAL + '.new'!r})")
    try:
        # boot.py still chose it; main.py starts the other.
        chosen, reset = board.boot()
        assert (chosen, reset) == ("b", False)
        assert "/pv/a" in board.vm.run(WHERE).output
        assert board.trial() == "b3"
    finally:
        board.vm.run(f"import os; os.rmdir({wire.FILE_TRIAL + '.new'!r})")


def test_a_soft_reset_to_the_prompt_uses_up_no_start(board: Board) -> None:
    board.vm.put(wire.FILE_SLOT, b"a")
    board.vm.put(wire.FILE_TRIAL, b"b2")
    for _ in range(5):
        board.vm.run(board.files["boot.py"].decode())
    assert board.trial() == "b2"


@pytest.mark.parametrize("content", [b"", b"b", b"b/", b"b0", b"\xff\xff", b"b:"])
def test_a_damaged_trial_file_is_no_crash(board: Board, content: bytes) -> None:
    board.vm.put(wire.FILE_SLOT, b"a")
    board.vm.put(wire.FILE_TRIAL, content)
    slot, _ = board.boot()
    assert slot in ("a", "b")


def test_no_keys_is_said_in_one_line(board: Board) -> None:
    board.vm.put(wire.FILE_SLOT, b"a")
    board.boot()
    said = board.vm.run(board.files["main.py"].decode()).output
    assert said == "plumveil: no keys: provision this node again\n"


def test_a_strange_fault_tells_its_kind_only(board: Board) -> None:
    board.vm.put(wire.FILE_SLOT, b"a")
    board.vm.run(FORGET)
    board.vm.run(board.files["boot.py"].decode())
    board.vm.run(
        "from plumveil import service\ndef build(say): raise OSError('52.52000 secret')\nservice.build = build"
    )
    assert board.vm.run(board.files["main.py"].decode()).output == "plumveil: OSError: flash this node again\n"


def test_a_configuration_on_trial_that_the_node_cannot_be_built_from_spends_its_start(board: Board) -> None:
    board.vm.put(wire.FILE_SLOT, b"a")
    tried = f"{wire.FILE_CONFIG}.{wire.CONFIG_STARTS - 1}"
    board.vm.run(FORGET)
    board.vm.run(board.files["boot.py"].decode())
    # What the keys and the file's authenticity are is tests/firmware/test_trial.py's affair.
    board.vm.run(
        "from plumveil import service, trial\n"
        "class Safe:\n    def load(self, generation_of): return b''\n"
        "service.open_vault = Safe\n"
        "service.KeyState = lambda body: None\n"
        f"trial.configuration = lambda state: (None, {tried!r})"
    )
    ended = board.vm.run(board.files["main.py"].decode())
    assert ended.exited or ended.error_type == "Restart"
    board.vm.run("trial.configuration = lambda state: (None, None)")
    assert board.vm.run(board.files["main.py"].decode()).output == "plumveil: AttributeError: flash this node again\n"
