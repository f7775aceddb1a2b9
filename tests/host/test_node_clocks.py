"""The firmware's own stages against the host's validator: a clock set forward and back, and an old flash image put
back. What the node then seals is opened, and the host says what became of it."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import nodefiles  # type: ignore[import-not-found]
import pytest
import world  # type: ignore[import-not-found]

from host_tools import rules
from host_tools.content import Event
from host_tools.keyring import KeyRing, TableRing
from host_tools.keytable import make_table
from host_tools.registry import Node, Policy
from host_tools.validate import Message, Validator
from plumveil import wire
from plumveil.config import Config
from plumveil.consent import Consent
from plumveil.drops import Drops
from plumveil.held import HeldCell
from plumveil.pseudonym import Pseudonyms
from plumveil.service import build_pipeline
from tests.host.consents import consent_record

NOON_S: int = nodefiles.NOON_S
DAY_S = wire.EPOCH_S
WRONG_DAYS = 30
POLICY: dict[int, Any] = nodefiles.policy_map()
NODE = Node(
    name="node",
    tenant="acme",
    epoch0_day=nodefiles.EPOCH0_DAY,
    k_id=nodefiles.K_ID.hex(),
    k_chain=nodefiles.K_CHAIN.hex(),
    k_config=nodefiles.K_CONFIG.hex(),
    k_consent=nodefiles.K_CONSENT.hex(),
    policies=(
        Policy(
            version=POLICY[wire.P_VERSION],
            fields=POLICY[wire.P_FIELDS],
            location_ceiling=POLICY[wire.P_LOCATION_CEILING],
            health_mask=True,
        ),
    ),
    consents=(consent_record(),),
)


class Gps:
    """A receiver that is somewhere else each time."""

    def __init__(self) -> None:
        self._lat_e6 = 49026566

    def fix(self) -> tuple[int, int]:
        self._lat_e6 += 100000
        return self._lat_e6, 12065272

    def take_bad(self) -> int:
        return 0


class Life:
    """A node from boot to boot, on one flash."""

    def __init__(self) -> None:
        nodefiles.new_flash()
        self.store = nodefiles.Kept()
        self._boots = 0
        self._gps = Gps()
        self.boot()

    def boot(self) -> None:
        self._boots += 1
        config = Config(nodefiles.config_bytes(nodefiles.config_map()), nodefiles.K_CONFIG)
        keys = nodefiles.key_chain(bytes([self._boots]) * 32)
        names = Pseudonyms(keys, config.policy.mask_health)
        keys._state.grant = nodefiles.consent()
        consent, held = Consent(keys._state, config.policy), HeldCell(wire.FILE_CELL)
        self._pipeline = build_pipeline(keys, names, consent, held, config, self.store, Drops())

    def hour(self, t_s: int) -> None:
        """An hour from t_s on: readings, a position, health, all sealed at its end."""
        for n in range(12):
            self._pipeline.tick(t_s + n * 300)
            self._pipeline.take(t_s + n * 300, {wire.F_TEMPERATURE: 4800 + n, wire.F_HUMIDITY: 45000})
        self._pipeline.take_position(t_s + 3300, True, self._gps)
        self._pipeline.take_health(t_s + 3300, {wire.F_UPTIME: 7200})
        self._pipeline.close()

    def taken(self) -> list[bytes]:
        """What was sealed since the last time."""
        sealed, self.store.sealed = self.store.sealed, []
        return [one.message for one in sealed]


@pytest.fixture(autouse=True)
def own_cell_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wire, "FILE_CELL", str(tmp_path / "cell.bin"))


def judged(messages: list[bytes], now_s: int) -> list[Message]:
    one = Validator(KeyRing([NODE], now_s), now_s)
    return [one.check(message) for message in messages]


def streams(messages: list[Message]) -> set[int]:
    return {message.keys.stream for message in messages if message.keys}


def test_a_clock_set_forward_and_back_costs_epochs_and_no_message() -> None:
    life = Life()
    life.hour(NOON_S)
    before = life.taken()
    life.hour(NOON_S + WRONG_DAYS * DAY_S)
    wrong = life.taken()
    life.hour(NOON_S + 2 * 3600)
    life.boot()
    life.hour(NOON_S + 4 * 3600)
    life.hour(NOON_S + DAY_S - 7200)
    life.hour(NOON_S + DAY_S)
    after = life.taken()
    # Today the host sees which messages came of the wrong clock, and only those are invalid.
    now_s = NOON_S + 2 * DAY_S
    verdicts = judged(before + wrong + after, now_s)
    assert {tuple(finding.rule for finding in message.findings) for message in verdicts if not message.valid} == {
        (rules.TIME,)
    }
    invalid = [n for n, message in enumerate(verdicts) if not message.valid]
    assert invalid == list(range(len(before), len(before) + len(wrong)))
    rest = verdicts[len(before) + len(wrong) :]
    # The epoch of the wrong day is that day's alone, and burned with those before it.
    assert {message.epochs_ahead for message in rest} == {WRONG_DAYS + 1}
    assert streams(rest) == set(range(4))
    events = [message.content for message in rest if isinstance(message.content, Event)]
    # When the clock was found to be wrong, and again after the boot.
    assert [event.argument for event in events if event.event == wire.E_EPOCHS_AHEAD] == [
        WRONG_DAYS + 1,
        WRONG_DAYS + 1,
    ]
    # Once that day has come, nothing tells the wrong ones from others.
    later = judged(before + wrong + after, NOON_S + 2 * WRONG_DAYS * DAY_S)
    assert [message.findings for message in later] == [[] for _ in later]
    kids = Counter(message.keys.kid for message in later[len(before) :] if message.keys)
    assert len(kids) < len(later) - len(before)


def test_an_old_flash_image_of_the_same_boot_counts_on_from_its_ceiling() -> None:
    """The counters it allowed itself had not been reached: nothing shows, and nothing is lost."""
    life = Life()
    life.hour(NOON_S)
    image = copy.deepcopy(world.current.flash)
    for n in range(1, 5):
        life.hour(NOON_S + n * 3600)
    sealed = life.taken()
    world.current.flash.update(image)
    life.boot()
    for n in range(5, 8):
        life.hour(NOON_S + n * 3600)
    again = life.taken()
    for messages in (sealed + again, again + sealed):
        assert [message.findings for message in judged(messages, NOON_S + DAY_S)] == [[] for _ in messages]


@pytest.mark.parametrize("boots", [1, 3])
def test_an_image_of_before_some_boots_shows(boots: int) -> None:
    life = Life()
    life.hour(NOON_S)
    image = copy.deepcopy(world.current.flash)
    for n in range(boots):
        life.boot()
        life.hour(NOON_S + (n + 1) * 3600)
    sealed = life.taken()
    world.current.flash.update(image)
    life.boot()
    life.hour(NOON_S + 6 * 3600)
    life.hour(NOON_S + DAY_S)
    again = life.taken()
    verdicts = judged(sealed + again, NOON_S + 2 * DAY_S)
    assert all(message.content is not None for message in verdicts)
    assert all(message.valid for message in verdicts[: len(sealed)])
    found = verdicts[len(sealed) :]
    same_day = [message for message in found if message.keys and message.keys.day == NOON_S // DAY_S]
    assert streams(same_day) == streams([message for message in same_day if not message.valid]) == set(range(4))
    assert {finding.rule for message in found for finding in message.findings} == {rules.REPLAY}
    assert all("old flash image" in finding.what for message in found for finding in message.findings)
    # The next epoch counts anew.
    assert all(message.valid for message in found if message not in same_day)


def test_a_processor_reads_the_node_without_its_name_or_its_health() -> None:
    life = Life()
    life.hour(NOON_S)
    life.hour(NOON_S + DAY_S // 2 - 3600)
    sealed = life.taken()
    day = NOON_S // DAY_S
    one = Validator(TableRing(make_table([NODE], set(range(4)), day, day)), NOON_S + DAY_S)
    verdicts = [one.check(message) for message in sealed]
    assert [message.findings for message in verdicts] == [[] for _ in verdicts]
    assert streams(verdicts) == set(range(4))
