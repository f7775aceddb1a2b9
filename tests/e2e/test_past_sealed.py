"""P7: who takes a node reads nothing that it sealed before the current step, and computes no earlier pseudonym: not
from all of its flash, and not from all that its objects in RAM lead to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodefiles  # type: ignore[import-not-found]
import pytest

from host_tools.firmware_source import beside
from host_tools.registry import Node
from host_tools.simulate import runner
from host_tools.vm import Vm
from plumveil import wire
from plumveil.keys import KeyChain
from plumveil.vault import Vault
from tests.e2e import nights
from tests.e2e.bench import NIGHT_S, NODE, Bench, own_files
from tests.e2e.seizure import At, Attack, Captured, captured, last_of_each, spent, state_of, windows

HOURS = nights.HOURS
TAKEN_S = nights.BEGIN_S + HOURS * 3600 - 1200  # three hours, midnight, and nearly three more
ALL = set(range(wire.DATES))  # a policy that does not split dates off sends none of these


@dataclass(frozen=True)
class Taken:
    """What was found in one pair of hands: the key partition, everything else on flash, what RAM leads to."""

    partition: bytes
    files: dict[str, bytes]
    ram: set[bytes]

    @property
    def now(self) -> At:
        """Epoch and step that the slot in force says."""
        state = state_of(self.partition)[-1]
        return state.epoch, state.step

    @property
    def pieces(self) -> list[bytes]:
        return [self.partition, *self.files.values(), *self.ram]

    def attack(self, node: Node, targets: list[Captured], names: Iterable[bytes] = ()) -> Attack:
        ivs = [piece for piece in self.ram if len(piece) == wire.NONCE_BYTES]
        return Attack(node, targets, names).on(windows(self.pieces), ivs)


def before(messages: list[Captured], now: At) -> list[Captured]:
    return last_of_each(one for one in messages if one.at < now)


def within(messages: list[Captured], now: At) -> list[Captured]:
    return last_of_each(one for one in messages if one.at == now)


def earlier_names(messages: list[Captured], now: At) -> set[bytes]:
    return {one.envelope.kid for one in messages if one.at[0] < now[0]}


def check(node: Node, messages: list[Captured], earlier: Taken, taken: Taken) -> None:
    """The promise for a node taken an hour after `earlier`, and that the attack would have seen it broken."""
    assert earlier.now < taken.now
    assert {one.stream for one in before(messages, taken.now) if one.at[0] == taken.now[0]} == ALL
    assert {one.stream for one in before(messages, taken.now) if one.at[0] == taken.now[0] - 1} == ALL
    # Whoever holds it reads the step in force, and at the earlier time read that one.
    for hands in (earlier, taken):
        current = within(messages, hands.now)
        assert {one.stream for one in current} == ALL
        control = hands.attack(node, current, {one.envelope.kid for one in current})
        assert control.opened == set(current)
        assert control.named == {one.envelope.kid for one in current}
    names = earlier_names(messages, taken.now)
    assert len(names) == len(ALL)
    attack = taken.attack(node, before(messages, taken.now), names)
    assert attack.tried > 100
    assert attack.opened == set()
    assert attack.named == set()
    everything = b"\x00".join(taken.pieces)
    assert [secret for secret in spent(node, taken.now) if secret in everything or secret[::-1] in everything] == []
    # Each of these would have been found: they opened what came before.
    assert Attack(node, before(messages, taken.now), names).on(spent(node, taken.now)).opened


# --- the node in the VM, its flash taken ---------------------------------------------------------------------------


class TakenVm(Vm):
    """A VM whose whole file system is copied twice on the way: an hour before, and when it is taken."""

    taken: list[dict[str, bytes]]
    harm = ""

    def loop(self, function: str, *rest: Any, **options: Any) -> Any:
        self.taken = []
        assert self.run(self.harm).ok
        for at_s in (TAKEN_S - 3600, TAKEN_S):
            loaded = self.run(f"def _until():\n    return {function}() and world.current.now_ms < {at_s} * 1000\n")
            assert loaded.ok, loaded.error
            turns = super().loop("_until", *rest, **options)
            if not turns.ok:
                return turns
            self.taken.append(self.tree("/"))
        return super().loop(function, *rest, **options)


def _flash_of(tree: dict[str, bytes]) -> Taken:
    files = {path: data for path, data in tree.items() if path.startswith("/pv/")}
    return Taken(tree[runner.KEYS_IMAGE], files, set())


@pytest.mark.vm
@pytest.mark.e2e
def test_the_whole_flash_of_a_node_opens_nothing_of_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    vm, ran = nights.live(monkeypatch, TakenVm, nights.moving_and_warm())
    messages = captured((message.payload for message in ran.messages), ran.record, TAKEN_S + 3600)
    earlier, taken = (_flash_of(tree) for tree in vm.taken)
    assert {wire.FILE_CONFIG, wire.FILE_CELL} <= taken.files.keys()
    check(ran.record, messages, earlier, taken)
    # The VM's code and the world around it as well.
    everything = b"\x00".join(vm.taken[1].values())
    assert [secret for secret in spent(ran.record, taken.now) if secret in everything] == []


@pytest.mark.vm
@pytest.mark.e2e
def test_a_node_that_does_not_erase_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    harm = "from plumveil import vault; vault.Vault._erase_others = lambda self: None"
    monkeypatch.setattr(TakenVm, "harm", beside(harm))
    vm, ran = nights.live(monkeypatch, TakenVm, nights.moving_and_warm())
    messages = captured((message.payload for message in ran.messages), ran.record, TAKEN_S + 3600)
    taken = _flash_of(vm.taken[1])
    attack = taken.attack(ran.record, before(messages, taken.now))
    assert {one.stream for one in attack.opened} == ALL


# --- the same stages on CPython, with their RAM taken --------------------------------------------------------------


@pytest.fixture
def lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """lives() -> (messages, what was found an hour before, what was found)."""
    own_files(monkeypatch, tmp_path)

    def run() -> tuple[list[Captured], Taken, Taken]:
        bench = Bench(tmp_path)
        end_s = NIGHT_S + HOURS * 3600 - 600
        hands = [Taken(bytes(bench.flash.image()), {}, ram) for ram in map(bench.live, (end_s - 3600, end_s))]
        bench.broker.deliver(bench.store)
        return captured(bench.broker.messages, NODE, end_s), hands[0], hands[1]

    return run


def test_all_that_its_ram_and_flash_hold_opens_nothing_of_the_past(lives: Any) -> None:
    messages, earlier, taken = lives()
    assert any(len(piece) == wire.NONCE_BYTES for piece in taken.ram)
    # The walk gets to where the secrets are.
    state = state_of(taken.partition)[-1]
    assert {state.chain, state.names, *state.streams, nodefiles.CONSENT_SECRET} <= taken.ram
    check(NODE, messages, earlier, taken)


def broken(lives: Any) -> Attack:
    messages, _, taken = lives()
    attack: Attack = taken.attack(NODE, before(messages, taken.now), earlier_names(messages, taken.now))
    return attack


def test_old_slots_left_on_flash_are_found(lives: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Vault, "_erase_others", lambda self: None)
    assert {one.stream for one in broken(lives).opened} == ALL


def test_old_secrets_kept_in_ram_are_found(lives: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    go_to = KeyChain._go_to

    def keeping(self: Any, epoch: int, step: int) -> None:
        self._kept = [*getattr(self, "_kept", ()), self._state.streams[wire.EVENTS], self._state.names]
        go_to(self, epoch, step)

    monkeypatch.setattr(KeyChain, "_go_to", keeping)
    attack = broken(lives)
    assert {one.stream for one in attack.opened} == {wire.EVENTS}
    assert len(attack.named) == len(ALL)


def test_an_old_seal_key_kept_in_ram_is_found(lives: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    new_seal = KeyChain._new_seal
    kept: dict[int, list[Any]] = {}

    def keeping(self: Any, stream: int, consent_secret: bytes = b"") -> Any:
        seal = new_seal(self, stream, consent_secret)
        self._kept = kept
        kept.setdefault(stream, []).append(seal)
        return seal

    monkeypatch.setattr(KeyChain, "_new_seal", keeping)
    assert {one.stream for one in broken(lives).opened} == ALL
