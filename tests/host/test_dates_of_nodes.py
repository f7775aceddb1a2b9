"""What the firmware's own stages send under a policy that splits dates off, as the controller and others read it."""

from __future__ import annotations

from pathlib import Path

import nodefiles  # type: ignore[import-not-found]
import pytest

from host_tools import derive
from host_tools.content import Batch, Dates, Health, Position
from host_tools.keyring import KeyRing, TableRing
from host_tools.registry import Policy
from host_tools.validate import Message, Validator
from plumveil import wire
from tests.host.dated import OTHERS, OWN, SPLIT_MASKED, table
from tests.host.messages import NODE


class Gps:
    """A receiver that is always in one place."""

    def fix(self) -> tuple[int, int]:
        return 49026566, 12065272

    def take_bad(self) -> int:
        return 0


class Living:
    """The node's own stages under a policy that splits dates off."""

    def __init__(self, folder: Path) -> None:
        wire.FILE_CELL = str(folder / "cell.bin")
        self.pipeline, self.store, _ = nodefiles.pipeline(
            nodefiles.consent(), P_SPLIT_DATES=True, P_VERSION=SPLIT_MASKED, P_WIDENED=1
        )
        self.node = OWN.model_copy(
            update={
                "tenant": "acme",
                "epoch0_day": nodefiles.EPOCH0_DAY,
                "k_id": nodefiles.K_ID.hex(),
                "k_chain": nodefiles.K_CHAIN.hex(),
                "k_config": nodefiles.K_CONFIG.hex(),
                "policies": (
                    Policy(
                        version=SPLIT_MASKED,
                        fields=nodefiles.policy_map()[wire.P_FIELDS],
                        location_ceiling=3,
                        health_mask=True,
                        split_dates=True,
                    ),
                ),
                "consents": (
                    NODE.consents[0].model_copy(
                        update={
                            "serial": 7,
                            "starts_s": nodefiles.NOON_S - 86400,
                            "expires_s": nodefiles.NOON_S + 86400,
                            "secret": nodefiles.CONSENT_SECRET.hex(),
                        }
                    ),
                ),
            }
        )

    def hour(self, t_s: int) -> None:
        for n in range(12):
            self.pipeline.tick(t_s + n * 300)
            self.pipeline.take(t_s + n * 300, {wire.F_TEMPERATURE: 4800 + n, wire.F_HUMIDITY: 45000})
        self.pipeline.take_health(t_s + 3300, {wire.F_UPTIME: 7200})
        self.pipeline.take_position(t_s + 3300, True, Gps())
        self.pipeline.take(t_s + 3600, {wire.F_TEMPERATURE: 9000})
        self.pipeline.close()

    def judged(self, one: Validator) -> list[Message]:
        return [one.check(sealed.message) for sealed in self.store.sealed]


def test_what_a_node_sends_is_whole_again_and_for_others_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "FILE_CELL", wire.FILE_CELL)
    life = Living(tmp_path)
    noon_s = nodefiles.NOON_S
    life.hour(noon_s)
    life.hour(noon_s + 6 * 86400)
    # Six days back: an epoch of its own, for a day that had one.
    life.hour(noon_s + 7200)
    now_s = noon_s + 9 * 86400
    seen = life.judged(Validator(KeyRing([life.node], now_s), now_s))
    assert [found.findings for found in seen] == [[] for _ in seen]
    days = [found.content.t_s for found in seen if isinstance(found.content, Dates)]
    assert days == [(noon_s + n * 86400) // 86400 * 86400 for n in (0, 6, 0)]
    starts = [found.content.start_s for found in seen if isinstance(found.content, Batch)]
    assert starts == [noon_s, noon_s + 6 * 86400, noon_s + 7200]
    healths = [found.content for found in seen if isinstance(found.content, Health)]
    assert [one.t_s for one in healths] == [start_s + 3300 for start_s in starts]
    assert [one.values for one in healths] == [{wire.F_UPTIME: 2}] * 3
    positions = [found.content for found in seen if isinstance(found.content, Position)]
    # On the sixth day there was no consent.
    assert [one.t_s for one in positions] == [noon_s + 3300, noon_s + 7200 + 3300]
    assert {found.epochs_ahead for found in seen} == {0, 7}

    first, last = noon_s // 86400, noon_s // 86400 + 20
    others = TableRing(table(*OTHERS, node=life.node, days=(first, last)))
    unseen = life.judged(Validator(others, now_s))
    # A position of an epoch that stands for another day than the table's has no consent there.
    ahead = [type(found.content) is Position and found.epochs_ahead > 0 for found in seen]
    pairs = zip(unseen, seen, ahead, strict=True)
    read = [(mine, theirs) for mine, theirs, is_ahead in pairs if not is_ahead and type(theirs.content) is not Dates]
    known = [mine for mine, _ in read]
    assert [found.findings for found in known] == [[] for _ in known]
    for mine, theirs in read:
        assert mine.content is not None
        assert theirs.content is not None
        assert mine.content[0] == theirs.content[0] % 86400
    # Nothing that it reads has a day in it.
    assert not [found for found in known if found.dated]


def test_names_of_dates_are_those_of_the_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "FILE_CELL", wire.FILE_CELL)
    life = Living(tmp_path)
    ring = KeyRing([life.node], nodefiles.NOON_S)
    (found,) = life.judged(Validator(ring, nodefiles.NOON_S))
    assert isinstance(found.content, Dates)
    secret = derive.Chain(nodefiles.K_ID).at(2)
    assert found.content.names == tuple(derive.pseudonym(secret, "acme", stream) for stream in OTHERS)
