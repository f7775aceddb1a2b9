"""Promise P2: location is off unless a valid, current grant says otherwise. Grants and configurations are mutated,
cut, mixed and rolled back, clocks are thrown years about, and the node is booted in every way there is: not one
position may come of it, and the receiver may not once be searched. That a good grant does bring positions is shown
beside it.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import nodefiles  # type: ignore[import-not-found]
import pytest

from plumveil import config, terms, wire
from tests.host.lives import START_S, Life, grant, serial_at

GRANT_RUNS, CONFIG_RUNS, CLOCK_RUNS = 6_000, 2_500, 1_500
GROUPS = 6
YEARS_S = 10 * 365 * 86400
_NODES = bytes(range(200, 232))  # another node's consent key


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Other bytes than `data`: bits flipped, cut, doubled, filled, or two places swapped."""
    out = bytearray(data)
    kind = dice.randrange(6)
    if kind == 0:
        for _ in range(dice.choice((1, 1, 2, 8))):
            out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
    elif kind == 1:
        del out[dice.randrange(len(out)) :]
    elif kind == 2:
        del out[dice.randrange(len(out))]
    elif kind == 3:
        at = dice.randrange(len(out))
        out[at:at] = dice.randbytes(dice.randint(1, 9))
    elif kind == 4:
        at = dice.randrange(len(out))
        out[at : at + 16] = bytes(16)
    else:
        a, b = dice.randrange(len(out)), dice.randrange(len(out))
        out[a], out[b] = out[b], out[a]
    return bytes(out) if bytes(out) != data else data[:-1]


def bad_grant(dice: random.Random, now_s: int, newest: int) -> bytes:
    """A grant that no node may act on, or what is left of one."""
    serial = max(serial_at(now_s) - 60, newest + 1)
    wrong: list[Any] = [
        lambda: mutated(grant(serial), dice),
        lambda: mutated(bytes(nodefiles.grant_bytes(nodefiles.delegated_map(G_SERIAL=serial))), dice),
        lambda: bytes(nodefiles.grant_bytes(nodefiles.grant_map(G_SERIAL=serial), _NODES)),
        lambda: grant(serial, G_TENANT="other"),
        lambda: grant(serial, G_NODE=dice.randbytes(8)),
        lambda: grant(serial, G_STARTS_S=now_s - 20, G_EXPIRES_S=now_s - dice.randrange(10)),
        lambda: grant(serial, G_STARTS_S=now_s + 3600, G_EXPIRES_S=now_s + 7200),
        lambda: grant(serial, G_TIER=4),
        lambda: grant(newest),
        lambda: grant(serial, G_ISSUED_S=now_s + 2 * 86400),
        lambda: grant(serial_at(now_s) + 2 * 86400),
        lambda: grant(serial, G_POLICY=0),
        lambda: bytes(nodefiles.grant_bytes(nodefiles.delegated_map(G_SERIAL=serial, G_TIER=3))),
        lambda: dice.randbytes(dice.randrange(300)),
    ]
    return bytes(dice.choice(wrong)())


def image_of(life: Life, *, taken_back: bool) -> bytes:
    """The keys' flash of a node on which a consent was given, and taken back or not."""
    assert life.boot()
    assert life.apply(grant(1000)) == 0
    if taken_back:
        life.app.desk.withdraw(terms.BY_TOOL)
    return bytes(life.flash.image())


def thrown(dice: random.Random) -> int:
    """Seconds that a false time source is off by: years, and always more than a consent lasts."""
    return dice.choice((-1, 1)) * dice.randrange(3 * 86400, YEARS_S)


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_no_grant_that_is_none_brings_a_position(group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(f"grant {group}")
    life = Life(tmp_path, monkeypatch)
    first_image = image_of(life, taken_back=True)
    told: Counter[int] = Counter()
    for _ in range(GRANT_RUNS // GROUPS):
        life.set_clock(START_S + thrown(dice) if dice.random() < 0.3 else life.now_s)
        assert life.boot(clock_known=dice.random() < 0.9)
        for _ in range(dice.randrange(1, 3)):
            told[life.apply(bad_grant(dice, life.now_s, life.app.desk.state.serial))] += 1
        life.position()
        life.empty()
        if abs(life.now_s - START_S) > 86400:
            # Epochs that a false clock has burned are gone; the next node is a new one.
            life.flash.put_back(first_image)
            life.set_clock(START_S)
    assert (life.located, life.receiver.searches) == (0, 0)
    assert told[0] == 0
    # Each reason was met, and the very node that said no to all of it says yes to a good one.
    assert set(told) >= {reason for reason, _ in terms.REFUSALS} - {terms.N_VOIDED}
    life.flash.put_back(first_image)
    life.set_clock(START_S)
    assert life.boot()
    assert life.apply(grant(serial_at(START_S))) == 0
    assert life.position() == 1


def believed(life: Life, image: bytes, dice: random.Random) -> int:
    """Starts a node that holds a valid consent with a configuration that is none -> positions that came of it. As the
    one in force it is no configuration; one on trial, or ahead of its time, gives way to the one in force."""
    good, version = life.config_path.read_bytes(), life.version
    bad = mutated(good if dice.random() < 0.5 else life.config_file(P_LOCATION_CEILING=4), dice)
    on_trial = life.config_path.with_name(life.config_path.name + f".{wire.CONFIG_STARTS}")
    where = dice.choice((life.config_path, life.config_path, on_trial, None))
    life.flash.put_back(image)
    if where is None:
        life.config_path.unlink()
    else:
        where.write_bytes(bad)
    located = 0
    if life.boot() and (where != on_trial or life.app.desk.state.config != version):
        located = life.position()
    on_trial.unlink(missing_ok=True)
    life.config_path.write_bytes(good)
    life.version = version
    life.set_clock(START_S)
    return located


@pytest.mark.slow
def test_no_configuration_that_is_none_brings_a_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(tmp_path, monkeypatch)
    image, dice = image_of(life, taken_back=False), random.Random("configuration")
    assert [believed(life, image, dice) for _ in range(CONFIG_RUNS)] == [0] * CONFIG_RUNS
    assert life.receiver.searches == 0
    # The very consent counts with the configuration in force.
    life.flash.put_back(image)
    assert life.boot()
    assert life.position() == 1


def test_a_node_that_believed_any_configuration_would_be_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(tmp_path, monkeypatch)
    image, dice = image_of(life, taken_back=False), random.Random("configuration")
    monkeypatch.setattr(config, "equal", lambda a, b: True)
    assert sum(believed(life, image, dice) for _ in range(100)) > 0


@pytest.mark.slow
def test_no_clock_that_is_off_brings_a_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(tmp_path, monkeypatch)
    image, dice = image_of(life, taken_back=False), random.Random("clock")
    for _ in range(CLOCK_RUNS):
        life.flash.put_back(image)
        known = dice.random() < 0.8
        if known:
            life.set_clock(START_S + thrown(dice))
        assert life.boot(clock_known=known)
        assert [life.position(), life.position()] == [0, 0]
        life.empty()
        life.set_clock(START_S)
    assert (life.located, life.receiver.searches) == (0, 0)


def test_an_older_configuration_brings_no_wider_policy_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(tmp_path, monkeypatch)
    wide = life.config_path.read_bytes()
    assert life.boot()
    life.configure(P_VERSION=2, P_LOCATION_CEILING=1)
    assert life.boot()
    assert life.apply(grant(serial_at(START_S), G_TIER=3)) == terms.N_CEILING
    assert life.apply(grant(serial_at(START_S) + 1, G_TIER=1)) == 0
    life.app.desk.tick(life.now_s)
    life.config_path.write_bytes(wide)
    # Rolled back: no configuration, no node.
    assert not life.boot()


@pytest.mark.parametrize("years", [-10, -1, 1, 10])
def test_a_clock_thrown_about_ends_consent(years: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(tmp_path, monkeypatch)
    assert life.boot()
    assert life.apply(grant(serial_at(START_S))) == 0
    assert life.position() == 1
    searches = life.receiver.searches
    life.set_clock(START_S + years * 365 * 86400)
    assert [life.position() for _ in range(3)] == [0, 0, 0]
    assert life.boot()
    assert life.position() == 0
    assert life.boot(clock_known=False)
    assert life.position() == 0
    assert life.receiver.searches == searches
