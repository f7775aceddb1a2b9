"""A node on CPython: everything that plumveil.service builds between sensors and socket is the real thing, on the
stand-ins' flash, with the fixed keys of tests/firmware/nodefiles.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nodefiles  # type: ignore[import-not-found]
import pytest
import schedule  # type: ignore[import-not-found]

from host_tools.registry import Node
from plumveil import service, wire
from plumveil.app import App
from plumveil.clock import Clock
from plumveil.config import Config
from plumveil.consent import Consent
from plumveil.desk import Desk
from plumveil.drops import Drops
from plumveil.held import HeldCell
from plumveil.policy import Policy
from plumveil.pseudonym import Pseudonyms
from plumveil.store import Store
from tests.e2e.seizure import reachable
from tests.host.consents import consent_record

NIGHT_S = nodefiles.NOON_S + 9 * 3600
NODE = Node(
    name="node",
    tenant="acme",
    epoch0_day=nodefiles.EPOCH0_DAY,
    k_id=nodefiles.K_ID.hex(),
    k_chain=nodefiles.K_CHAIN.hex(),
    k_config=nodefiles.K_CONFIG.hex(),
    k_consent=nodefiles.K_CONSENT.hex(),
    consents=(consent_record(),),
)


class Moving:
    """A receiver that is always somewhere else."""

    def __init__(self) -> None:
        self.fixes = 0

    def fix(self) -> tuple[int, int]:
        self.fixes += 1
        return 49_000_000 + 50_000 * self.fixes, 12_000_000

    def take_bad(self) -> int:
        return 0


class Warming:
    """A sensor that is too warm every sixth time."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self) -> dict[int, int]:
        self.reads += 1
        return {wire.F_TEMPERATURE: 8500 if self.reads % 6 == 5 else 4800 + self.reads % 7 * 40}


class Broker:
    """Takes all there is, as an uplink that always gets through."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.obey: Any = None

    def join(self) -> None:
        pass

    def deliver(self, store: Store) -> None:
        while (head := store.peek()) is not None:
            self.messages.append(head.message)
            store.ack(head)

    def deliver_one(self, store: Store, *_: Any) -> None:
        self.deliver(store)


def own_files(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Puts the files that a node writes beside its keys into a folder of the test's."""
    for name in ("FILE_CELL", "FILE_ENTRY", "FILE_LOG", "FILE_OFF"):
        monkeypatch.setattr(wire, name, str(folder / name))


class Bench:
    """A node on CPython: everything of service.build between sensors and socket is the real thing."""

    def __init__(self, folder: Path, uplink: Any = None) -> None:
        parts = nodefiles.config_map()
        parts[wire.C_POLICY] |= {wire.P_DEVICE_S: 3600, wire.P_BATCH_MAX: 4}
        self.flash = nodefiles.new_flash()
        self.time = schedule.Time(NIGHT_S)
        self.config = Config(nodefiles.config_bytes(parts), nodefiles.K_CONFIG)
        clock = Clock(self.time, schedule.Memory(), nodefiles.EPOCH0_DAY * wire.EPOCH_S)
        clock.set_by_source()
        drops, self.broker = Drops(), Broker()
        chain = nodefiles.key_chain(bytes(range(64, 96)))
        names = Pseudonyms(chain, self.config.policy.mask_health)
        self.store = Store(str(folder), drops)
        policy: Policy = self.config.policy
        state, vault = chain._state, chain._vault
        state.grant = nodefiles.consent()
        consent, held = Consent(state, policy), HeldCell(wire.FILE_CELL)
        pipeline = service.build_pipeline(chain, names, consent, held, self.config, self.store, drops)
        desk = Desk(state, vault, chain.commit, self.store, held, drops, clock.now_s, consent, policy, pipeline)
        undated = service.build_undated(self.config.policy, drops)
        around = ([Warming()], schedule.Health(), Moving(), uplink or self.broker, lambda n: bytes([128]) * n)
        self.app = App(pipeline, policy, self.store, drops, clock, undated, *around, desk)

    def live(self, until_s: int) -> set[bytes]:
        """Lives until then -> all that its objects lead to, as they stand between two steps."""
        while self.time.time() + 946684800 < until_s:
            self.time.ms += max(1, self.app.step())
        assert self.app.failed_steps == 0
        return reachable(self.app, self.config) - set(self.broker.messages)
