"""Consent against a reference model that fits on a page: grants good and bad, withdrawals, commands, expiry, boots,
clocks set right and wrong, policies made wider and narrower. After each step the node is as finely located as the
model says, positions come of it exactly then, and the log is one chain. 100,000 steps.
"""

from __future__ import annotations

import tempfile
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import nodefiles  # type: ignore[import-not-found]
import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from test_grant import sealed  # type: ignore[import-not-found]

from plumveil import cbor, terms, wire
from plumveil.desk import Desk
from tests.host.lives import POSITION_S, START_S, Life, serial_at

GROUPS = 10
EXAMPLES = 100
STEPS = 100
DAY_S = 86400
SECONDS = st.sampled_from((60, 3600, 7200, DAY_S))


class Model:
    """What consent is, in a few lines. given: (tier, starts s, ends s, policy version, delegation) or None;
    told_slot: the slot of the last position, of which each has one, also when the clock is set back into it.
    asked_slot: the slot in which a position was due last, since the boot."""

    def __init__(self) -> None:
        self.told_slot: int | None = None
        self.asked_slot: int | None = None
        self.given: tuple[int, int, int, int, int] | None = None
        self.serial = 0
        self.newest_given = 0
        self.voids: set[int] = set()
        self.ceiling = 3
        self.version = 1
        self.widened = 1

    def tier(self, now_s: int | None) -> int:
        if self.given is None or now_s is None:
            return 0
        tier, starts_s, ends_s, version, _ = self.given
        return tier if starts_s <= now_s < ends_s and tier <= self.ceiling and version >= self.widened else 0

    def tells(self, now_s: int | None) -> bool:
        """Whether a position is due now, and told. Where the node last was goes with the consent."""
        if now_s is None or now_s // POSITION_S == self.asked_slot:
            return False
        self.asked_slot = now_s // POSITION_S
        if not self.tier(now_s):
            self.told_slot = None
            return False
        told, self.told_slot = self.told_slot, now_s // POSITION_S
        return told != self.told_slot

    def settle(self, now_s: int | None) -> None:
        """What ended for good is gone when the node next looks at it."""
        if self.given is None or now_s is None:
            return
        tier, _, ends_s, version, _ = self.given
        if now_s >= ends_s or tier > self.ceiling or version < self.widened:
            self.end()

    def end(self) -> None:
        """There is no consent, and nothing of where the node was."""
        self.given = self.told_slot = None


class Consents(RuleBasedStateMachine):
    """The node and the model side by side."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._folder = tempfile.TemporaryDirectory()
        self.life = Life(Path(self._folder.name), self._patch)
        self.model = Model()
        self.clock_known = True
        self.entries = 0
        assert self.life.boot()

    def teardown(self) -> None:
        self._patch.undo()
        self._folder.cleanup()

    @property
    def now_s(self) -> int | None:
        return self.life.now_s if self.clock_known else None

    @property
    def desk(self) -> Any:
        return self.life.app.desk

    def wanted(self, serial: int, tier: int, begins_s: int, lasts_s: int, delegation: int) -> dict[str, Any]:
        starts_s = self.life.now_s + begins_s
        policy = self.model.version
        parts = {"G_SERIAL": serial, "G_TIER": tier, "G_STARTS_S": starts_s, "G_EXPIRES_S": starts_s + lasts_s}
        parts |= {"G_POLICY": policy, "G_ISSUED_S": min(self.life.now_s, wire.UNIX_MAX_S)}
        if delegation:
            limits = {"D_ID": delegation, "D_STARTS_S": START_S - DAY_S, "D_UNTIL_S": START_S + 40 * DAY_S}
            parts["given"] = nodefiles.caveats(D_TIER=2, D_POLICY=policy, **limits)
        return parts

    @rule(
        tier=st.integers(1, 4),
        begins_s=st.sampled_from((-60, -60, -60, 3600)),
        lasts_s=SECONDS,
        delegation=st.integers(0, 2),
        newer=st.booleans(),
        key=st.sampled_from((True, True, True, False)),
    )
    def a_grant_comes(self, tier: int, begins_s: int, lasts_s: int, delegation: int, newer: bool, key: bool) -> None:
        model, now_s = self.model, self.now_s
        serial = max(serial_at(self.life.now_s) - DAY_S, model.serial + 1) if newer else max(model.serial, 1)
        parts = self.wanted(serial, tier, begins_s, lasts_s, delegation)
        make = nodefiles.delegated_map if delegation else nodefiles.grant_map
        data = nodefiles.grant_bytes(make(**parts), nodefiles.K_CONSENT if key else bytes(32))
        ends_s = parts["G_EXPIRES_S"]
        good = (
            key
            and serial > model.serial
            and now_s is not None
            and serial < serial_at(now_s) + terms.AHEAD_MAX_S
            and parts["G_STARTS_S"] <= now_s < ends_s
            and tier <= model.ceiling
            and (not delegation or (tier <= 2 and self.delegated(delegation, now_s, ends_s)))
        )
        assert (self.life.apply(bytes(data)) == 0) == good
        if good:
            model.serial = serial
            model.given = (tier, parts["G_STARTS_S"], ends_s, model.version, delegation)

    @precondition(lambda self: self.clock_known and self.model.ceiling > 0)
    @rule(tier=st.integers(1, 4), lasts_s=SECONDS, delegation=st.integers(0, 2))
    def a_good_grant_comes(self, tier: int, lasts_s: int, delegation: int) -> None:
        tier = min(tier, self.model.ceiling, 2 if delegation else 4)
        self.a_grant_comes(tier, -60, lasts_s, delegation, newer=True, key=True)

    def delegated(self, delegation: int, now_s: int, ends_s: int) -> bool:
        if delegation in self.model.voids:
            return False
        return START_S - DAY_S <= now_s < START_S + 40 * DAY_S and ends_s <= START_S + 40 * DAY_S

    @rule(by=st.sampled_from((terms.BY_TOOL, terms.BY_BUTTON)))
    def it_is_taken_back(self, by: int) -> None:
        self.desk.withdraw(by)
        self.model.end()

    @rule(delegation=st.integers(1, 2), afar=st.booleans())
    def a_delegation_is_voided(self, delegation: int, afar: bool) -> None:
        if afar:
            self.desk.command(sealed(terms.DOWN_VOID, delegation, epoch=self.desk.state.epoch))
        else:
            self.desk.void(delegation)
        self.model.voids.add(delegation)
        if self.model.given is not None and self.model.given[4] == delegation:
            self.model.end()

    @rule(older=st.integers(0, 2))
    def a_consent_is_revoked(self, older: int) -> None:
        serial = max(1, self.model.serial - older)
        self.desk.command(sealed(terms.DOWN_REVOKE, serial, epoch=self.desk.state.epoch))
        if older == 0 or serial >= self.model.serial:
            self.model.end()
            self.model.serial = max(self.model.serial, serial)

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.life.time.ms += (seconds - 300) * 1000 if seconds > 300 else 0
        self.a_position_is_due()

    @rule()
    def a_position_is_due(self) -> None:
        self.life.time.ms += 300_000
        self.model.settle(self.now_s)
        before = self.life.located
        self.life.app.step()
        assert self.life.located - before == (1 if self.model.tells(self.now_s) else 0)
        self.life.empty()

    @rule(known=st.sampled_from((True, True, False)))
    def a_boot(self, known: bool) -> None:
        self.clock_known = known
        self.model.asked_slot = None
        assert self.life.boot(clock_known=known)

    @precondition(lambda self: not self.clock_known)
    @rule()
    def the_time_comes(self) -> None:
        self.life.set_clock(self.life.now_s)
        self.clock_known = True

    @rule(seconds=st.sampled_from((-1800, -60, 60, 1800, DAY_S, 5 * DAY_S)))
    def the_clock_is_set(self, seconds: int) -> None:
        self.life.set_clock(self.life.now_s + seconds)
        self.clock_known = True

    @rule(ceiling=st.integers(0, 4), widens=st.booleans())
    def another_policy(self, ceiling: int, widens: bool) -> None:
        model = self.model
        model.version += 1
        model.ceiling = ceiling
        model.widened = model.version if widens else model.widened
        self.life.configure(P_VERSION=model.version, P_WIDENED=model.widened, P_LOCATION_CEILING=ceiling)
        self.a_boot(self.clock_known)

    @invariant()
    def node_and_model_agree(self) -> None:
        assert self.desk.tier() == self.model.tier(self.now_s)
        if self.model.given is None:
            assert self.desk.state.grant is None
            assert nodefiles.CONSENT_SECRET not in self.life.flash.image()

    @invariant()
    def the_log_is_one_chain(self) -> None:
        count, hashed = self.desk.state.log_count, self.desk.state.log_hash
        assert count >= self.entries
        self.entries = count
        kept = self.desk._kept
        if kept:
            assert sha256(kept[-1]).digest() == hashed
            assert cbor.loads(kept[-1])[0] == count
            for before, after in pairwise(kept):
                assert cbor.loads(after)[1] == sha256(before).digest()


def lived(group: int, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        seed(group)(type("Consents", (Consents,), {})),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_node_and_model_agree(group: int) -> None:
    lived(group, EXAMPLES, STEPS)


def test_the_model_finds_a_node_that_keeps_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk, "withdraw", lambda self, by: None)
    with pytest.raises(AssertionError):
        lived(0, 100, 20)
