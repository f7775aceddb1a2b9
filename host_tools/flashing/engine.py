"""From a bare board to a working node: the steps in order, each skipped when it is done already.

Wherever it is cut - cable, power, Ctrl-C - the board boots the old version or the new one, and the same command again
finishes. Only while MicroPython itself is written the board boots nothing until that.
"""

from __future__ import annotations

from host_tools import firmware_build
from host_tools.boards import Board
from host_tools.errors import PlumveilError
from host_tools.firmware_source import KEPT_AS_SOURCE
from host_tools.flashing import firmware, micropython, provisioning, receipt
from host_tools.flashing.node import Node, State
from host_tools.flashing.receipt import Receipt
from host_tools.flashing.show import Show
from host_tools.flashing.task import Run, Task
from host_tools.node_link import NodeLost, NodeRefused
from host_tools.provision import board_file
from plumveil import wire

MICROPYTHON = "1.28.0"
_AGAIN = "the node boots the version before or the new one, whole; run the same command again"


class SelfTestFailed(PlumveilError):
    """The node's own test of the new version failed; what was before it is back, if there was something."""


def flash(task: Task, show: Show) -> Receipt:
    """Does all of it -> the receipt.

    Errors: UsageError, PlumveilError of one line that says what to do next; SelfTestFailed. KeyboardInterrupt passes.
    """
    run = Run(task, show)
    with run.step("compile") as step:
        files = firmware_build.compile_firmware()
        step.say(f"{len(files)} files, {sum(map(len, files.values())) / 1024:.1f} KiB")
    link, board = micropython.ensure(run)
    try:
        made = _install(run, Node(link), board, files)
    except NodeLost as lost:
        link.abandon()
        raise NodeLost(f"{lost}; {_AGAIN}") from None
    except BaseException:
        # The node may be in the middle of anything: it is stopped there, and started.
        link.abandon()
        raise
    with run.step("start"):
        link.close()
    return made


def _install(run: Run, node: Node, board: Board, files: dict[str, bytes]) -> Receipt:
    with run.step("compare") as step:
        state = node.state()
        _check(run.task, state, board)
        roots = _roots(run.task, files)
        seen = firmware.look(node, state, files, roots)
        step.say("differs" if seen.is_new or seen.differing else "unchanged")
        if run.task.wanted is not None and provisioning.lacking(node, run.task.wanted):
            micropython.ready(run.task)
    _put(run, node, state, seen, files, roots)
    try:
        _provision(run, node)
        tested = _self_test(run, node)
        if seen.target != state.slot or state.trial:
            firmware.confirm(node, seen, state)
    except (NodeRefused, NodeLost, SelfTestFailed) as error:
        raise type(error)(f"{error}{_taken_back(node, state, seen)}") from None
    return receipt.make(
        port=run.task.port,
        board=board.name,
        micropython=state.release,
        slot=seen.target,
        files=firmware.digests(files),
        steps=run.done,
        self_test=tested,
        names=node.names(),
    )


def _check(task: Task, state: State, board: Board) -> None:
    if not state.release.startswith(MICROPYTHON.rpartition(".")[0] + "."):
        raise PlumveilError(
            f"the board at {task.port} runs MicroPython {state.release}, Plumveil needs {MICROPYTHON}: write it with"
            " --firmware FILE"
        )
    chip = micropython.chip_of(state)
    if chip and chip != board.silicon:
        raise PlumveilError(
            f"the board at {task.port} has an {chip}, {board.name} has an {board.silicon}: say which --board"
        )


def _roots(task: Task, files: dict[str, bytes]) -> dict[str, bytes]:
    """Path -> content of what is the same for all versions; of a board that was guessed its numbers are not known."""
    roots = {f"/{name}": files[name] for name in KEPT_AS_SOURCE}
    return roots if task.board is None else {**roots, wire.FILE_BOARD: board_file(task.board)}


def _put(
    run: Run, node: Node, state: State, seen: firmware.Look, files: dict[str, bytes], roots: dict[str, bytes]
) -> None:
    """Copies, verifies, and has the node run the new version."""
    with run.step("copy") as step:
        if seen.is_new:
            sent_bytes = firmware.stage(node, state, seen, files, step.percent)
            step.say(f"{sent_bytes / 1024:.1f} KiB into slot {seen.target}")
        else:
            step.skip("unchanged")
    with run.step("verify") as step:
        if seen.is_new:
            firmware.verify(node, seen.target, files)
        else:
            step.skip("unchanged")
    with run.step("switch") as step:
        firmware.switch(node, state, seen, roots)
        if seen.target == state.slot:
            step.skip(f"slot {seen.target} is in force")
        else:
            step.say(f"slot {seen.target}")
        # With a version on trial it is that one which runs now.
        if seen.target != state.slot or seen.differing or state.trial:
            node.restart()


def _provision(run: Run, node: Node) -> None:
    with run.step("provision") as step:
        wanted = run.task.wanted
        if wanted is None:
            step.skip("no node.toml was given")
            return
        came = provisioning.provision(node, wanted)
        if came.did:
            step.say(came.did)
        else:
            step.skip("keys and configuration are there" + came.note)


def _self_test(run: Run, node: Node) -> dict[str, str]:
    with run.step("self-test") as step:
        tested = node.self_test()
        faults = [f"{name}: {fault}" for name, fault in sorted(tested.items()) if fault not in ("", "-")]
        if faults:
            raise SelfTestFailed(f"the self-test of the node at {run.task.port} failed: {'; '.join(faults)}")
        step.say(", ".join(name for name, fault in sorted(tested.items()) if not fault))
        return dict(sorted(tested.items()))


def _taken_back(node: Node, state: State, seen: firmware.Look) -> str:
    """Has the version before boot again, where there is one and the node hears -> words for the error."""
    if not state.slot or seen.target == state.slot or node.link.lost:
        return ""
    try:
        firmware.take_back(node)
    except PlumveilError:
        return "; it could not be told to go back, and tries the new version a few times before it does"
    return "; the version before is back"
