"""A planned node lives through a reset and a power cut in the VM; an observer sees of it what passes the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host_tools.broker import EmbeddedBroker
from host_tools.errors import PlumveilError
from host_tools.firmware_source import beside
from host_tools.keyring import KeyRing, TableRing
from host_tools.keytable import make_table
from host_tools.privacy import features, observe, study
from host_tools.privacy.fleet import BROWN_OUT, START_DAY, WATCHDOG, Boot, NodePlan, make_fleet
from host_tools.privacy.life import SSID, Enrolled, Trace, live
from host_tools.provision import Network
from host_tools.registry import Node
from plumveil import wire

pytestmark = pytest.mark.vm
SETTINGS = study.Settings(nodes=1, epochs=1, seed=3, health_mask=True)
MIDNIGHT_S = START_DAY * wire.EPOCH_S
END_S = MIDNIGHT_S + 16 * 3600
RSSI_DBM = (-48, -81, -63)
FAILS_ONCE = beside("""
_tick = app.pipeline.tick
def _fails(t_s):
    app.pipeline.tick = _tick
    raise ValueError
app.pipeline.tick = _fails
""")


def boot(number: int, start_s: int, end_s: int, cause: int) -> Boot:
    return Boot(start_s * 1000 + 250 * number, end_s, cause, RSSI_DBM[number], 10)


def plan() -> NodePlan:
    """Boots before midnight, is reset at 05:00, and is without power from 12:00 to 12:10; its access point goes away
    for an hour at 07:00, and its clock runs fast."""
    cut_s, on_s = MIDNIGHT_S + 12 * 3600, MIDNIGHT_S + 12 * 3600 + 600
    reset_s = MIDNIGHT_S + 5 * 3600
    boots = (
        boot(0, MIDNIGHT_S - 3600, reset_s, BROWN_OUT),
        boot(1, reset_s + 2, cut_s, WATCHDOG),
        boot(2, on_s, END_S, BROWN_OUT),
    )
    outages = ((MIDNIGHT_S + 7 * 3600, MIDNIGHT_S + 8 * 3600),)
    (any_node,) = make_fleet(3, 1, 1, study.SCHEDULE["position_s"])
    return replace(any_node, boots=boots, outages=outages, drift_ppb=50_000)


def enrolled(network: Network) -> Enrolled:
    (node,) = study.enrolled([plan()], network, SETTINGS)
    return node


def lived() -> tuple[Trace, Node, int]:
    hours = []
    with EmbeddedBroker(tls=False) as broker:
        network = Network(broker.host, broker.port, None, SSID, "key")
        node = enrolled(network)
        trace = live(plan(), study.board(), node, network, 3, lambda: hours.append(1))
        return trace, node.files.record, len(hours)


@pytest.fixture(scope="module")
def life() -> tuple[Trace, Node, int]:
    return lived()


def observations(life: tuple[Trace, Node, int]) -> tuple[observe.Observation, observe.Observation]:
    """What a processor sees of the day, and what the controller does."""
    trace, record, _ = life
    ring = TableRing(make_table([record], range(len(wire.STREAMS)), START_DAY - 1, START_DAY))
    (seen,) = observe.observe([trace], [record], ring, range(START_DAY, START_DAY + 1))
    (bare,) = observe.unmasked([seen], KeyRing([record], END_S))
    return seen, bare


def test_times_are_true_ones(life: tuple[Trace, Node, int]) -> None:
    trace, _, hours = life
    times_s = [session.time_ms / 1000 for session in trace.sessions]
    assert times_s == sorted(times_s)
    assert len(times_s) >= 6
    away = plan().outages[0]
    off_s = MIDNIGHT_S + 12 * 3600, MIDNIGHT_S + 12 * 3600 + 600
    assert not [time_s for time_s in times_s if away[0] < time_s < away[1] or off_s[0] + 2 < time_s < off_s[1]]
    assert 15 <= hours <= 19


def test_time_is_asked_for_after_power_on_but_not_after_a_reset(life: tuple[Trace, Node, int]) -> None:
    asked_s = [at_ms // 1000 for at_ms in life[0].asked_time_ms]
    near = [abs(asked_s[0] - (MIDNIGHT_S - 3600)), abs(asked_s[-1] - (MIDNIGHT_S + 12 * 3600 + 600))]
    assert max(near) < 60
    assert not [at_s for at_s in asked_s if 0 <= at_s - (MIDNIGHT_S + 5 * 3600) < 3600]


def test_boots_show_as_salts_and_nothing_is_used_twice(life: tuple[Trace, Node, int]) -> None:
    seen, _ = observations(life)
    device = seen.of(wire.DEVICE)
    assert len({message.envelope.boot_salt for message in device}) == 3
    places = [(m.envelope.kid, m.envelope.boot_salt, m.envelope.step, m.envelope.partial_iv) for m in seen.messages]
    assert len(set(places)) == len(places)
    counters = [message.envelope.partial_iv for message in device]
    assert counters == sorted(set(counters))
    assert max(counters) > len(counters)


def test_the_mask_hides_what_the_controller_sees(life: tuple[Trace, Node, int]) -> None:
    seen, bare = observations(life)
    # None where the node had not joined.
    told, masked = (
        [message.entries[wire.K_HEALTH].get(wire.F_RSSI) for message in one.of(wire.DEVICE)] for one in (bare, seen)
    )
    assert set(told) - {None} <= {round(rssi / 10) for rssi in RSSI_DBM}
    assert len(set(told) - {None}) >= 2
    assert told != masked
    causes = {message.entries[wire.K_HEALTH][wire.F_RESET_CAUSE] for message in bare.of(wire.DEVICE)}
    assert causes == {BROWN_OUT, WATCHDOG}
    assert all(sum(message.entries[wire.K_DROPS]) < 50 for message in bare.of(wire.DEVICE))
    assert any(sum(message.entries[wire.K_DROPS]) > 1000 for message in seen.of(wire.DEVICE))


def test_no_sensor_value_is_held(life: tuple[Trace, Node, int]) -> None:
    seen, _ = observations(life)
    assert len(seen.of(wire.READINGS)) >= 2
    assert len(seen.of(wire.LOCATION)) >= 1
    for message in seen.messages:
        assert not {wire.K_COLUMNS, wire.K_CELL} & message.entries.keys()


def test_host_names_are_those_the_network_was_told(life: tuple[Trace, Node, int]) -> None:
    trace, _, _ = life
    names = [name for _, name in trace.host_names]
    assert all(len(name) == 12 and int(name, 16) for name in names)
    assert len(set(names)) >= 2
    seen, _ = observations(life)
    assert set(seen.host_names) < set(names)
    assert seen.joins == sum(at_ms >= MIDNIGHT_S * 1000 for at_ms, _ in trace.host_names)


def test_a_host_name_that_is_kept_shows_every_day(life: tuple[Trace, Node, int]) -> None:
    trace, record, hours = life
    kept = replace(trace, host_names=((trace.host_names[0][0], "kept"),))
    seen, _ = observations((kept, record, hours))
    assert set(seen.host_names) == {"kept"}
    assert seen.joins == 0


def test_everything_seen_has_a_number(life: tuple[Trace, Node, int]) -> None:
    seen, _ = observations(life)
    numbers = features.numbers(seen)
    assert numbers["sessions"] == len(seen.sessions)
    assert numbers["device salts"] == 3
    assert numbers["keep alive"] == 60
    assert 0 <= numbers["session time, first"] < wire.EPOCH_S
    strings = features.strings(seen)
    assert strings["readings kid"] == strings["readings topic"]
    assert len(strings["client id"]) == 8
    assert len(strings["consent"]) == wire.CONSENT_REF_BYTES


def test_the_same_again_gives_the_same_bytes(life: tuple[Trace, Node, int]) -> None:
    again, _, _ = lived()
    assert again.sessions == life[0].sessions
    assert again.host_names == life[0].host_names


def test_a_step_that_fails_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    from host_tools.privacy import life as module

    monkeypatch.setattr(module, "_TURN", module._TURN + FAILS_ONCE)
    with pytest.raises(PlumveilError, match=r"^node-0: \d+ steps of its schedule failed, the first with ValueError$"):
        lived()


def test_a_firmware_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from host_tools.privacy import life as module

    monkeypatch.setattr(module, "_HOLD_MAIN", "from plumveil import service; service.build = None")
    with pytest.raises(PlumveilError, match="the firmware stopped"):
        lived()
