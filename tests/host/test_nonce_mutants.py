"""What keeps a pair from coming twice, taken away piece by piece: the harness of test_nonce_once.py has to find out.

Three things keep the boots of one hour apart: the counters' ceilings on flash, the pool with the generation it is
mixed with, and fresh random bytes. A generator that stands still leaves the first two, which stand in for each other;
an old image put back leaves the third alone. Between hours, epochs and streams the secrets themselves differ.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import keyscenes  # type: ignore[import-not-found]
import pytest
from keywitness import Broken, Repeat, Witness  # type: ignore[import-not-found]

from plumveil import cbor, crypto, keys, wire
from plumveil.errors import ConfigError, SealRefused
from plumveil.keys import KeyChain
from plumveil.keystate import generation_of
from plumveil.vault import Vault

Patch = pytest.MonkeyPatch
_SEAL, _COMMIT, _ADVANCE = KeyChain.seal, KeyChain.commit, KeyChain.advance
_LOAD, _WRITE, _ERASE_OTHERS = Vault.load, Vault.commit, Vault._erase_others


def no_counters(patch: Patch) -> None:
    """A boot counts from zero."""
    before = KeyChain.__init__

    def init(self: Any, *arguments: Any) -> None:
        before(self, *arguments)
        self._next = [0] * len(wire.STREAMS)

    patch.setattr(KeyChain, "__init__", init)


def boot_secret_of(patch: Patch, leave_out: str) -> None:
    # leave_out: names of what does not go into the boot secret, and "renewal" when the pool stays as it is.
    before = KeyChain.__init__

    def init(self: Any, safe: Any, state: Any, random_bytes: bytes) -> None:
        own, number = state.pool, 0 if "generation" in leave_out else state.generation
        before(self, safe, state, random_bytes)
        mixed = (b"" if "pool" in leave_out else own) + (b"" if "fresh" in leave_out else random_bytes)
        self._boot_secret = crypto.hkdf(mixed, cbor.dumps([wire.L_BOOT, number]))
        if "renewal" in leave_out:
            state.pool = own

    patch.setattr(KeyChain, "__init__", init)


def no_pool(patch: Patch) -> None:
    """The boot secret is of the random bytes alone."""
    boot_secret_of(patch, "pool, generation")


def stale_pool(patch: Patch) -> None:
    """The pool stays as it was enrolled."""
    boot_secret_of(patch, "renewal")


def stale_pool_alone(patch: Patch) -> None:
    """The pool stays, and the slot's generation does not go into the boot secret."""
    boot_secret_of(patch, "generation, renewal")


def no_fresh_bytes(patch: Patch) -> None:
    """The boot secret is of flash alone."""
    boot_secret_of(patch, "fresh")


def no_boot_secret(patch: Patch) -> None:
    """One salt for all boots."""
    boot_secret_of(patch, "pool, generation, fresh")


def no_ceiling(patch: Patch) -> None:
    """What is written is how far the counters are, not how far they may go."""
    patch.setattr(keys, "CEILING", 0)


def after_use(patch: Patch) -> None:
    """A commit follows the first message that rests on it."""

    def commit(self: Any) -> None:
        self._due, self._used = True, False
        self._seals = {}
        self._state.counters = [n + keys.CEILING for n in self._next]
        self._durable = True

    def seal(self: Any, *arguments: Any) -> Any:
        if self._due and self._used:
            _COMMIT(self)
            self._due = False
        given = _SEAL(self, *arguments)
        self._used = True
        return given

    patch.setattr(KeyChain, "commit", commit)
    patch.setattr(KeyChain, "seal", seal)


def zero_at_commit(patch: Patch) -> None:
    """Each commit starts the counters anew, not the epoch alone."""

    def commit(self: Any) -> None:
        self._next = [0] * len(wire.STREAMS)
        _COMMIT(self)

    def seal(self: Any, stream: int, consent_secret: bytes = b"") -> Any:
        if self._next[stream] >= self._state.counters[stream]:
            self.commit()
        return _SEAL(self, stream, consent_secret)

    patch.setattr(KeyChain, "commit", commit)
    patch.setattr(KeyChain, "seal", seal)


def failure_forgotten(patch: Patch) -> None:
    """A commit that was refused counts as made the next time."""

    def commit(self: Any) -> None:
        try:
            _COMMIT(self)
        finally:
            self._durable = True

    patch.setattr(KeyChain, "commit", commit)


def failure_not_seen(patch: Patch) -> None:
    """What the vault could not do is nobody's business."""

    def write(self: Any, body: bytes) -> None:
        with suppress(SealRefused):
            _WRITE(self, body)

    patch.setattr(Vault, "commit", write)


def epochs_run_back(patch: Patch) -> None:
    """A clock set back takes an hour up again that the chain still remembers, with counters from zero."""

    def advance(self: Any, t_s: int) -> None:
        past, state = self.__dict__.setdefault("_past", {}), self._state
        kept = past.get((self.epoch_at(t_s), t_s % wire.EPOCH_S // wire.STEP_S))
        if kept and self.epoch_at(t_s) < state.epoch:
            state.epoch, state.step, state.streams, state.chain, state.names = kept
            self._next = [0] * len(wire.STREAMS)
            self.commit()
        else:
            _ADVANCE(self, t_s)
        past[state.epoch, state.step] = (state.epoch, state.step, list(state.streams), state.chain, state.names)

    patch.setattr(KeyChain, "advance", advance)


def older_slot(patch: Patch) -> None:
    """Of two whole slots a boot takes the older one."""
    patch.setattr(Vault, "load", lambda self, _: _LOAD(self, lambda body: -generation_of(body)))


def not_erased(patch: Patch) -> None:
    """What a new slot takes the place of stays on flash."""
    patch.setattr(Vault, "_erase_others", lambda self: None)


def erasing_not_checked(patch: Patch) -> None:
    """Nobody looks whether an erasure took."""

    def erase_others(self: Any) -> None:
        for block in range(self.area.blocks):
            if block != self._block and not self.area.blank(block):
                self.area.erase(block)

    patch.setattr(Vault, "_erase_others", erase_others)


def old_one_first(patch: Patch) -> None:
    """The slot in force is erased before the new one is written."""

    def write(self: Any, body: bytes) -> None:
        try:
            self.area.erase(self._block)
        except OSError:
            raise SealRefused("key slot not written") from None
        _WRITE(self, body)

    patch.setattr(Vault, "commit", write)


def starts_anew(patch: Patch) -> None:
    """A node whose slots are all damaged goes on with the one it was enrolled with."""
    first: list[bytes] = []

    def load(self: Any, generation: Any) -> bytes:
        try:
            body: bytes = _LOAD(self, generation)
        except ConfigError:
            return first[-1]
        if generation_of(body) == 1:
            first.append(body)
        return body

    patch.setattr(Vault, "load", load)


# What is taken away, whether a pair then comes twice, and else what shows in the lives or on flash, if anything does.
# None twice: another defence covers it, as the line above or below it shows.
MUTANTS: list[tuple[tuple[Callable[[Patch], None], ...], bool, str | None]] = [
    ((), False, None),
    ((after_use,), True, "not on flash"),
    # Counters and boot secret cover each other while the random generator stands still.
    ((no_counters,), False, None),
    ((no_pool,), False, None),
    ((no_counters, no_pool), True, "again under one key"),
    # So do the pool and its slot's generation within the boot secret.
    ((no_counters, stale_pool), False, None),
    ((no_counters, stale_pool_alone), True, "again under one key"),
    ((no_ceiling,), False, "not below the ceiling"),
    ((no_ceiling, no_pool), True, "not below the ceiling"),
    # With an old image put back there are the random bytes alone.
    ((no_fresh_bytes,), True, "again under one key"),
    ((no_boot_secret,), True, "again under one key"),
    # Within a boot there are the counters alone, and secrets that go forward.
    ((zero_at_commit,), True, "again under one key"),
    ((epochs_run_back,), True, "ran back"),
    # That flash holds what is used.
    ((failure_forgotten,), True, "on flash"),
    ((failure_not_seen,), True, "on flash"),
    # Of an older slot nothing comes twice as long as there is none when something is sealed.
    ((older_slot,), False, "older slot"),
    ((not_erased,), False, "slots on flash"),
    ((older_slot, not_erased), True, "slots on flash"),
    ((erasing_not_checked,), False, "slots on flash"),
    ((old_one_first,), False, "no keys"),
    ((starts_anew,), True, "started from nothing"),
]


def battery(witness: Witness) -> None:
    """All that test_nonce_once.py does, in small."""
    for scene in keyscenes.SCENES:
        for part in (None, 256):
            for fault in ("cut", "fail", "idle"):
                keyscenes.at_every_operation(witness, scene, fault, part)
        keyscenes.at_every_operation(witness, scene, "idle", None, 6)
    keyscenes.frozen_boots(witness, 5, 0, 70)
    keyscenes.image_put_back(witness, 4)
    keyscenes.damaged(witness)
    for seed in range(3):
        keyscenes.Mix(witness, seed).lives(25)


def finds(pairs_only: bool) -> BaseException | None:
    try:
        battery(Witness(pairs_only))
    except (Repeat, Broken, ConfigError) as e:
        return e
    return None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("taken_away", "repeats", "shows"),
    MUTANTS,
    ids=[" and ".join(mutate.__name__ for mutate in row[0]) or "nothing" for row in MUTANTS],
)
def test_each_defence(
    monkeypatch: Patch, taken_away: tuple[Callable[[Patch], None], ...], repeats: bool, shows: str | None
) -> None:
    for mutate in taken_away:
        mutate(monkeypatch)
    assert isinstance(finds(pairs_only=True), Repeat) == repeats
    found = finds(pairs_only=False)
    assert shows in str(found) if shows else found is None
