"""`plumveil gps ...` and `plumveil preview` as they are typed, at a node on a virtual board."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import nodefiles  # type: ignore[import-not-found]
import pytest

from host_tools import derive
from host_tools.consent.caveats import Caveats, Delegated
from host_tools.errors import PlumveilError
from host_tools.keys import keystore
from host_tools.node_link import RUN_TIMEOUT_S
from host_tools.technician import node as asking
from host_tools.virtual_board.running import RunningBoard
from plumveil import hardware, terms, wire
from tests.host import gps_board, keystores
from tests.host.boardtools import wait_for
from tests.host.command_line import Ended, run, run_process
from tests.host.gps_board import grant, status
from tests.host.pace import Pace, quick

QUICK_MAX_S = 30.0  # from the shell's prompt to its next, on a busy machine; docs/consent.md: what was measured


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RunningBoard]:
    with gps_board.node(tmp_path) as one:
        yield one


def gps(board: RunningBoard, *arguments: str | Path, **environment: str) -> Ended:
    return run("gps", *arguments, "--port", board.port, stdin=b"", **environment)


def file_of(folder: Path, *grants: bytes) -> Path:
    path = folder / "grants"
    path.write_bytes(b"".join(grants))
    path.chmod(0o600)
    return path


def laptop(folder: Path, node: bytes | None = None, tier: int = 3) -> Path:
    """A technician's keystore with a delegation for the node."""
    now_s = int(time.time())
    caveats = Caveats(3, "J. Doe", "trailers", tier, now_s - 60, now_s + 7200, "delivery", "2026-05", 1)
    key = derive.grant_key(nodefiles.K_CONSENT, caveats.array())
    name = node or derive.grant_node(nodefiles.K_CONSENT, "acme")
    path = keystores.hand_out(keystores.make(folder), "technician", expires_s=now_s + 86400)
    with keystore.open_store(path, keystores.EXPORTED, write=True) as store:
        entry = store.get(keystores.NAMES[0])
        store.put(dataclasses.replace(entry, delegations=(Delegated(key, name, caveats),)))
        store.save()
    return path


@pytest.mark.vm
@pytest.mark.slow
def test_a_look_in_one_screen(board: RunningBoard, tmp_path: Path) -> None:
    assert gps(board, "status").out.startswith("location     off: there is no consent in force\n")
    done = gps(board, "on", "--grant", file_of(tmp_path, grant()))
    assert (done.code, done.err) == (0, "")
    said = gps(board, "status").out
    assert [line for line in said.splitlines() if "waiting" not in line] == [
        line for line in done.out.splitlines() if "waiting" not in line
    ]
    lines = dict(line.split(None, 1) for line in said.splitlines() if not line.startswith(" "))
    assert lines["location"] == "ON: area, cells of 1 km"
    assert lines["purpose"] == "route of the delivery"
    assert lines["given"] == "by     R. Roe, on notice 2026-05"
    assert {"since", "until", "precision", "policy", "refused", "waiting", "sends"} <= lines.keys()
    assert len(said.splitlines()) <= 20
    assert nodefiles.CONSENT_SECRET.hex() not in said


@pytest.mark.vm
@pytest.mark.slow
def test_off_is_one_command_that_needs_nothing(board: RunningBoard, tmp_path: Path) -> None:
    """No keystore, no passphrase, nothing on standard input, nothing asked: never more than it takes to switch on."""
    on = ("on", "--grant", file_of(tmp_path, grant()))
    off = ("off",)
    assert len(off) <= len(on)
    assert gps(board, *on).code == 0
    with Pace() as pace:
        done = run_process("gps", *off, "--port", board.port, PLUMVEIL_KEYSTORE="/nowhere")
    assert pace.under(QUICK_MAX_S), pace
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "Location is off: consent is taken back, its secret and queued positions are destroyed; readings stay.\n"
    )
    assert gps(board, *off).out == "Location was off already; nothing has changed.\n"
    assert quick(lambda: gps(board, "status"), QUICK_MAX_S)


@pytest.mark.vm
@pytest.mark.slow
def test_the_grant_for_this_node_is_picked_from_a_batch(board: RunningBoard, tmp_path: Path) -> None:
    others = [grant(G_NODE=bytes([n]) * 8) for n in range(3)]
    done = gps(board, "on", "--grant", file_of(tmp_path, *others))
    assert (done.code, done.out) == (1, "")
    assert "none of the 3 grants" in done.err
    batch = file_of(tmp_path, *others[:2], grant(), others[2])
    folder = tmp_path / "handed over"
    folder.mkdir()
    assert "there is no file *.grant in" in gps(board, "on", "--grant", folder).err
    for number, data in enumerate((others[0], grant(G_SERIAL=int(time.time()) - wire.UNIX_MIN_S))):
        path = folder / f"van-{number}.grant"
        path.write_bytes(data)
        path.chmod(0o600)
    for where in (batch, folder):
        assert gps(board, "on", "--grant", where).code == 0
        assert status(board).tier == 3


@pytest.mark.vm
@pytest.mark.slow
def test_a_refusal_is_one_line_and_changes_nothing(board: RunningBoard, tmp_path: Path) -> None:
    done = gps(board, "on", "--grant", file_of(tmp_path, grant(G_NODE=b"12345678")))
    assert done.code == 1
    assert done.err == (
        "plumveil: error: refused (node): it is another node's; nothing has changed: plug in the node that it is for,"
        " or ask for one for this node\n"
    )
    for cut in (grant()[:-1], grant()[:100], b"no grant"):
        said = gps(board, "on", "--grant", file_of(tmp_path, cut)).err
        assert (
            "refused (malformed): it is cut off, or no grant; nothing has changed: have the controller send" in said
        )
    own = file_of(tmp_path, grant())
    assert gps(board, "on", "--grant", own).code == 0
    assert "refused (replayed)" in gps(board, "on", "--grant", own).err
    assert status(board).tier == 3
    assert "refused      5 since the node's start" in gps(board, "status").out


@pytest.mark.vm
@pytest.mark.slow
def test_a_delegate_decides_on_site(board: RunningBoard, tmp_path: Path) -> None:
    given = {"PLUMVEIL_PASSPHRASE": keystores.EXPORTED}
    store = laptop(tmp_path)
    done = gps(board, "on", "--tier", "district", "--reason", "customer asked", "--keystore", store, **given)
    assert (done.code, done.err) == (0, "")
    assert "made by      delegation 3, J. Doe: customer asked\n" in done.out
    assert "location     ON: district, cells of 10 km\n" in done.out
    finer = gps(board, "on", "--tier", "street", "--reason", "x", "--keystore", store, **given)
    assert (finer.code, finer.out) == (1, "")
    assert "no delegation allows it" in finer.err
    assert status(board).tier == 2


@pytest.mark.vm
@pytest.mark.slow
def test_a_preview_shows_no_coordinate_and_is_written_nowhere(board: RunningBoard, tmp_path: Path) -> None:
    done = run("preview", "--port", board.port)
    assert (done.code, done.err) == (0, "")
    assert "position     none (no_consent): location is off: the receiver has no power\n" in done.out
    assert "not_on_list: the policy does not name this field" in done.out
    assert wait_for(lambda: board.status()["client"] is False)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in ("flash.bin", "log"):
            assert b"4.8" not in path.read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ("on",),
        ("on", "--grant", "x", "--tier", "area", "--reason", "y"),
        ("on", "--tier", "area"),
        ("on", "--tier", "area", "--reason", "x" * 65),
        ("on", "--grant", "nothing-there"),
    ],
)
def test_what_cannot_be_meant_is_said_before_a_node_is_touched(arguments: tuple[str, ...]) -> None:
    done = run("gps", *arguments, "--port", "/dev/null")
    assert done.code == 2
    assert done.err.count("\n") == 1


def test_a_preview_waits_for_as_long_as_a_node_searches() -> None:
    waited: list[float | None] = []
    ran: list[str] = []

    class Line:
        port = "somewhere"

        def run(self, code: str, timeout_s: float | None) -> bytes:
            waited.append(timeout_s)
            ran.append(code)
            return b'{"fault": "stopped"}'

    node = asking.LiveNode(Line())  # type: ignore[arg-type]
    for call in (node.preview, node.withdraw, node.withdraw):
        with pytest.raises(PlumveilError, match="does not run"):
            call()
    assert waited == [hardware.FIX_MAX_MS / 1000 + RUN_TIMEOUT_S, None, None]
    # The raw prompt arms Ctrl-C anew for each: none may tear a write.
    assert all("\nmicropython.kbd_intr(-1)\nanswer(" in "\n" + code for code in ran)


def test_every_reason_has_a_line_and_advice() -> None:
    assert set(asking.ADVICE) == {reason for reason, _ in terms.REFUSALS}
    for reason, name in terms.REFUSALS:
        said = str(asking.Refused(reason))
        assert said.startswith(f"refused ({name}): ")
        assert "\n" not in said
