"""A node on CPython through many lives: key flash, disk, clock and receiver stay, `boot` begins anew with what stands
there, in the order of plumveil.service. Messages are counted as they are queued; nothing is ever sent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nodefiles  # type: ignore[import-not-found]
import schedule  # type: ignore[import-not-found]

from plumveil import flash, service, trial, wire
from plumveil.app import App
from plumveil.clock import Clock
from plumveil.consent import Consent
from plumveil.desk import Desk
from plumveil.drops import Drops
from plumveil.errors import ConfigError, GrantRefused
from plumveil.held import HeldCell
from plumveil.pseudonym import Pseudonyms
from plumveil.store import Store

START_S = nodefiles.NOON_S
POSITION_S = 300
LON_E6 = 12_065_272
FILES = {
    "FILE_CONFIG": "config.bin",
    "FILE_CELL": "cell.bin",
    "FILE_ENTRY": "entry.bin",
    "FILE_LOG": "log.bin",
    "FILE_OFF": "off",
    "FILE_NEXT": "next.bin",
}


class Receiver:
    """Is somewhere else at every search, so that each would be reported."""

    def __init__(self) -> None:
        self.searches = 0

    def fix(self) -> tuple[int, int]:
        self.searches += 1
        # Two degrees are further than the coarsest cell is wide.
        return 2_000_000 * (self.searches % 30), LON_E6

    def take_bad(self) -> int:
        return 0


class Silent:
    """An uplink that is never asked."""

    obey: Any = None

    def join(self) -> None:
        """There is no network."""

    def deliver(self, *_: Any) -> None:
        """Nothing is sent."""

    deliver_one = deliver


class Life:
    """One node. app: None while it does not run."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        for name, file in FILES.items():
            monkeypatch.setattr(wire, name, str(folder / file))
        self.folder = folder
        self.config_path = folder / FILES["FILE_CONFIG"]
        self.flash = nodefiles.new_flash()
        self.time = schedule.Time(START_S)
        self.memory = schedule.Memory()
        self.receiver = Receiver()
        self.policy = nodefiles.policy_map()
        self.version = 0
        self.located = 0
        self.app: Any = None
        self.configure()

    @property
    def now_s(self) -> int:
        """The clock, Unix s."""
        return int(self.time.time()) + 946684800

    def config_file(self, **policy: int) -> bytes:
        """A configuration of the next version with this policy, by the names of wire.P_*."""
        self.version += 1
        self.policy |= {getattr(wire, name): value for name, value in policy.items()}
        parts = nodefiles.config_map()
        parts[wire.C_VERSION] = self.version
        parts[wire.C_POLICY] = dict(self.policy)
        return bytes(nodefiles.config_bytes(parts))

    def configure(self, **policy: int) -> None:
        """Puts it in force, as a trial that was passed does."""
        self.config_path.write_bytes(self.config_file(**policy))

    def set_clock(self, now_s: int) -> None:
        """What a time source says, true or false."""
        self.time.set_by_ms += (now_s - self.now_s) * 1000
        Clock(self.time, self.memory, 0).set_by_source()

    def boot(self, *, clock_known: bool = True) -> bool:
        """-> whether the node runs. clock_known: a time source has set the clock."""
        self.app = None
        if clock_known:
            self.set_clock(self.now_s)
        else:
            self.memory.kept = b""
        drops = Drops()
        clock = Clock(self.time, self.memory, nodefiles.EPOCH0_DAY * wire.EPOCH_S)
        try:
            chain = nodefiles.key_chain(bytes(range(64, 96)))
            config, _ = trial.configuration(chain._state)
        except ConfigError:
            return False
        chain._state.config = config.version
        self.app = self._built(chain, config, clock, drops)
        return True

    def _built(self, chain: Any, config: Any, clock: Clock, drops: Drops) -> App:
        names = Pseudonyms(chain, config.policy.mask_health)
        held = HeldCell(wire.FILE_CELL)
        self.store = Store(str(self.folder / "q"), drops)
        put = self.store.put

        def counted(sealed: Any) -> None:
            self.located += sealed.stream == wire.LOCATION
            put(sealed)

        self.store.put = counted  # type: ignore[method-assign]
        consent = Consent(chain._state, config.policy)
        pipeline = service.build_pipeline(chain, names, consent, held, config, self.store, drops)

        def now_s() -> int | None:
            return int(clock.now_s()) if clock.trusted() else None

        desk = Desk(
            chain._state,
            chain._vault,
            chain.commit,
            self.store,
            held,
            drops,
            now_s,
            consent,
            config.policy,
            pipeline,
        )
        around: tuple[Any, ...] = ([], schedule.Health(), self.receiver, Silent(), lambda n: bytes([128]) * n, desk)
        undated = service.build_undated(config.policy, drops)
        return App(pipeline, config.policy, self.store, drops, clock, undated, *around)

    def apply(self, data: bytes) -> int:
        """What a grant leads to: 0 when it is taken, else the reason."""
        try:
            self.app.desk.apply(data)
        except GrantRefused as refused:
            return int(refused.reason)
        return 0

    def position(self) -> int:
        """Lets time pass to the next position -> positions that came of it."""
        before = self.located
        self.time.ms += POSITION_S * 1000
        self.app.step()
        return self.located - before

    def empty(self) -> None:
        """Nothing waits on the disk any more."""
        for stream in range(len(wire.STREAMS)):
            self.store.clear(stream)

    def log(self) -> bytes:
        """The log's file."""
        return bytes(flash.load(wire.FILE_LOG) or b"")


def grant(serial: int, **changed: Any) -> bytes:
    """A grant of that serial; changed: parts by the names of terms.G_*."""
    return bytes(nodefiles.grant_bytes(nodefiles.grant_map(G_SERIAL=serial, **changed)))


def serial_at(now_s: int) -> int:
    """The serial of a grant issued then."""
    return now_s - wire.UNIX_MIN_S
