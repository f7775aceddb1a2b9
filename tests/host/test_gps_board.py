"""A technician at a node that runs: location on with a grant, off with nothing, by command and by button."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import nodefiles  # type: ignore[import-not-found]
import pytest
from sensing import record, sentence  # type: ignore[import-not-found]

from host_tools import cells, live_line
from host_tools.live_line import LiveLine
from host_tools.technician.node import LiveNode, Preview, Refused
from host_tools.virtual_board.running import RunningBoard
from plumveil import terms, wire
from tests.host import gps_board
from tests.host.boardtools import run, wait_for
from tests.host.gps_board import HEX, OPEN, asked, grant, search_now, status, switch_on
from tests.host.pace import Pace

pytestmark = [pytest.mark.vm, pytest.mark.slow]

PROMPT_MAX_S = 15.0
PLACE_E6 = (48205760, 16376130)  # of log_of_fixes


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RunningBoard]:
    with gps_board.node(tmp_path) as one:
        yield one


@pytest.mark.parametrize("name", ["virtual", "LILYGO_TBEAM"])
def test_on_and_off(name: str, tmp_path: Path) -> None:
    with gps_board.node(tmp_path, gps_board.config(name), board=name) as board:
        on_and_off(board)


def on_and_off(board: RunningBoard) -> None:
    assert (status(board).tier, board.status()["led"]) == (0, False)
    found = switch_on(board)
    assert found.tier == 3
    assert found.grant is not None
    told = (found.grant.who, found.grant.purpose, found.grant.notice)
    assert told == ("R. Roe", "route of the delivery", "2026-05")
    assert wait_for(lambda: board.status()["led"])
    readings = int(asked(board, OPEN))
    with LiveLine(board.port) as line:
        was_on, found = LiveNode(line).withdraw()
    assert (was_on, found.tier, found.grant) == (True, 0, None)
    assert wait_for(lambda: not board.status()["led"])
    assert int(asked(board, OPEN)) >= readings
    board.power_off()
    assert nodefiles.CONSENT_SECRET not in board.image()
    assert board.status()["receiver_reads_while_off"] == 0


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        (terms.N_NODE, {"G_NODE": b"12345678"}),
        (terms.N_TENANT, {"G_TENANT": "other"}),
        (terms.N_EXPIRED, {"G_STARTS_S": 1_770_000_000, "G_EXPIRES_S": 1_780_000_000}),
        (terms.N_CEILING, {"G_TIER": 4}),
    ],
)
def test_what_is_refused_changes_nothing(tmp_path: Path, reason: int, changed: dict[str, object]) -> None:
    with gps_board.node(tmp_path) as board:
        before = status(board)
        with LiveLine(board.port) as line, pytest.raises(Refused) as refused:
            LiveNode(line).apply(grant(**changed))
        assert refused.value.reason == reason
        assert str(refused.value).startswith(f"refused ({dict(terms.REFUSALS)[reason]}): ")
        after = status(board)
        assert (after.tier, after.serial, after.grant) == (0, before.serial, None)
        assert after.running is not None
        assert after.running.refusals == 1
        switch_on(board)
        with LiveLine(board.port) as line, pytest.raises(Refused, match="malformed"):
            LiveNode(line).apply(grant()[:-1])
        assert status(board).tier == 3


def log(board: RunningBoard) -> list[Any]:
    """The node's log, as far as its entries have left."""
    with LiveLine(board.port) as line:
        data = line.run(f"{HEX}print('<' + hexlify(open({wire.FILE_LOG!r}, 'rb').read()).decode() + '>')")
    stream, found = io.BytesIO(data), []
    while stream.tell() < len(data):
        found.append(cbor2.load(stream))
    return found


def test_the_button_takes_it_back_and_the_led_answers(board: RunningBoard) -> None:
    switch_on(board)
    assert wait_for(lambda: board.status()["led"])
    board.press(3)
    time.sleep(4)
    assert status(board).tier == 3
    before = board.status()["led_switched"]
    began_s = time.monotonic()
    board.press(8)
    assert wait_for(lambda: board.status()["led_switched"] >= before + 10 and not board.status()["led"], 40)
    assert time.monotonic() - began_s > 5
    found = status(board)
    assert (found.tier, found.grant) == (0, None)
    (entry,) = [one for one in log(board) if one[2] == terms.LOG_WITHDRAWN]
    assert entry[4] == [found.serial, terms.BY_BUTTON]


def test_a_search_is_broken_off_and_its_power_goes(tmp_path: Path) -> None:
    with gps_board.node(tmp_path, gps_board.config("virtual", P_SAMPLE_S=120)) as board:
        switch_on(board)
        search_now(board)
        with Pace() as pace, LiveLine(board.port) as line:
            assert not board.status()["receiver"]
            assert LiveNode(line).withdraw()[0]
        assert pace.under(PROMPT_MAX_S), pace
        # By the button as well.
        switch_on(board, G_SERIAL=int(time.time()) - wire.UNIX_MIN_S)
        search_now(board)
        board.press(7)
        assert wait_for(lambda: not board.status()["receiver"], 30)
        assert status(board).tier == 0
        assert board.status()["receiver_reads_while_off"] == 0


def test_a_node_whose_program_does_not_run_is_switched_off_all_the_same(tmp_path: Path) -> None:
    """Its configuration is gone; a consent stands in its key slot."""
    now_s = int(time.time())
    consent = [7, 3, now_s - 60, now_s + 86400, nodefiles.CONSENT_SECRET, 1, 0]
    parts = gps_board.config("virtual")
    with gps_board.node(tmp_path, parts, slot={wire.S_GRANT: consent, wire.S_SERIAL: 7}) as board:
        run(board, f"import os; os.remove({wire.FILE_CONFIG!r})")
        board.reset()
        assert wait_for(lambda: b"provision this node again" in board.log.read_bytes(), gps_board.START_S)
        assert nodefiles.CONSENT_SECRET in board.image()
        with LiveLine(board.port) as line:
            assert not line.alive
            node = LiveNode(line)
            found = node.status()
            assert (found.tier, found.running, found.grant is not None) == (0, None, True)
            was_on, found = node.withdraw()
        assert (was_on, found.grant) == (True, None)
        board.power_off()
        assert nodefiles.CONSENT_SECRET not in board.image()


def test_a_battery_node_is_woken_by_its_button(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_line, "AWAKE_TIMEOUT_S", 1.5)
    parts = gps_board.config("virtual", power=wire.POWER_BATTERY, P_SAMPLE_S=300)
    with gps_board.node(tmp_path, parts) as board:
        time.sleep(3)
        told = []

        def silent() -> None:
            told.append(True)
            board.press(0.5)

        with LiveLine(board.port, silent=silent) as line:
            assert LiveNode(line).apply(grant()).tier == 3
        assert told == [True]
        # Held down, it is taken back, out of its sleep.
        time.sleep(3)
        board.press(7)
        time.sleep(8)
        with LiveLine(board.port, silent=lambda: board.press(0.5)) as line:
            assert LiveNode(line).status().tier == 0
        assert board.status()["starts"] == 1


def log_of_fixes(folder: Path) -> dict[str, str]:
    """A receiver that has a fix at once, at 48.2 N 16.4 E -> what of the world says so."""
    log = index = b""
    today = time.strftime("%d%m%y", time.gmtime())
    for second in range(600):
        index += record((second, len(log)))
        log += sentence(f"GPRMC,,A,4812.3456,N,01622.5678,E,,,{today},,,A")
    (folder / "log").write_bytes(log)
    (folder / "index").write_bytes(index)
    return {"nmea": "log", "nmea_index": "index"}


def looked(board: RunningBoard) -> Preview:
    with LiveLine(board.port) as line:
        return LiveNode(line).preview()


def test_a_preview_says_what_leaves_and_what_is_dropped_by_which_rule(tmp_path: Path) -> None:
    parts = gps_board.config("virtual", P_SAMPLE_S=600)
    with gps_board.node(tmp_path, parts, world=log_of_fixes(tmp_path), world_folder=str(tmp_path)) as board:
        found = looked(board)
        assert (found.cell, found.rule) == (None, wire.R_NO_CONSENT)
        values = {value.id: value for value in found.readings}
        taken = values[wire.F_TEMPERATURE]
        assert taken.sent == (taken.taken + 50) // 100
        assert (values[wire.F_PROBE_TEMPERATURE].sent, values[wire.F_PROBE_TEMPERATURE].rule) == (
            None,
            wire.R_NOT_ON_LIST,
        )
        assert {value.id for value in found.health if value.sent is not None} == {wire.F_UPTIME}
        assert found.masked
        assert found.open >= 1
        assert found.sizes[wire.READINGS] % 2 == 0
        assert not board.status()["receiver"]
        # Nothing was counted, sent or kept for having been looked at.
        kept = "(app.store.count(), sorted(app.drops.totals.items()), app._last_slot_s, app.sensor_faults)"
        before = asked(board, kept)
        looked(board)
        assert asked(board, kept) == before
        switch_on(board)
        found = looked(board)
        assert found.rule in (0, wire.R_SAME_CELL)
        assert found.cell is not None
        assert (found.cell[0], found.sizes[wire.LOCATION] <= 128) == (3, True)
        assert not board.status()["receiver"]
        assert board.status()["receiver_reads_while_off"] == 0


def test_a_shock_is_still_there_after_a_preview(tmp_path: Path) -> None:
    parts = gps_board.config("virtual", P_SAMPLE_S=600)
    with gps_board.node(tmp_path, parts, world={"shocks": [[12, 6000]]}) as board:
        # Undisturbed: the stand-in's interrupts come in waits only.
        time.sleep(14)
        peak_mg = "[one._peak_mg for one in app._sensors if hasattr(one, 'capture')][0]"
        assert int(asked(board, peak_mg)) > 1000
        shocks = [[one.sent for one in looked(board).readings if one.id == wire.F_SHOCK_PEAK] for _ in range(2)]
        assert shocks[0] == shocks[1]
        assert (shocks[0][0] or 0) >= 11


def test_a_preview_says_why_there_is_no_position_now(tmp_path: Path) -> None:
    """Out of hours, or in a zone: nothing of where the node is is shown."""
    weekday = 1 << (int(time.time()) // wire.EPOCH_S + 3) % 7
    for changed, rule in (
        ({"P_SCHEDULE": [0, 127 & ~weekday, 0, 1440]}, wire.R_NOT_NOW),
        ({"P_ALARM_ONLY": True}, wire.R_NOT_NOW),
        ({"P_ZONES": [list(cells.locate(*PLACE_E6, 1))]}, wire.R_ZONE),
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        parts = gps_board.config("virtual", P_SAMPLE_S=600, **changed)
        with gps_board.node(folder, parts, world=log_of_fixes(folder), world_folder=str(folder)) as board:
            switch_on(board)
            found = looked(board)
            assert (found.cell, found.rule) == (None, rule)
            assert found.status.running is not None
            assert found.status.running.now is (rule == wire.R_ZONE)
