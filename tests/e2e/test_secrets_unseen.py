"""No secret of a node is seen: not in what it prints, in what an exception says, in a byte it sends, nor in a byte it
writes to flash outside its key partition. Parts of eight bytes count."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from host_tools import firmware_source
from host_tools.simulate import runner
from host_tools.vm import Vm
from plumveil import wire
from plumveil.keystate import KeyState
from plumveil.vault import slot_body
from tests.e2e import nights, secrecy
from tests.e2e.seizure import captured

DAY_HOURS = 26  # from nine in the evening over a whole day into the next

# Says what any step raised. The first seal that is due in the middle of some hour fails within its derivation.
_WATCH = """
import sys
_keys = app.pipeline._keys
_step = app.step
_failed = False

def _failing():
    held, _keys._state.streams, _keys._seals = _keys._state.streams, [None] * 4, {}
    try:
        return _step()
    finally:
        _keys._state.streams = held

def _watched():
    global _failed
    minute = world.current.now_ms // 60000 % 60
    try:
        return _failing() if 10 < minute < 50 and not _failed else _step()
    except Exception as error:
        _failed = True
        print("step failed", repr(error), error.args)
        sys.print_exception(error)
        raise

app.step = _watched
"""
_SHOW = """
app.failed_steps = 0
print(app, app.drops.totals, app.__dict__)
for one in [getattr(app.pipeline, name) for name in {held!r}] + [_keys._state, _keys._vault, app._uplink]:
    print(one, repr(one), str(one))
for seal in _keys._seals.values():
    print(seal, repr(seal), repr(seal.ccm))
"""
_BOOT_SECRET = "print(app.pipeline._keys._boot_secret.hex())"


class WatchedVm(Vm):
    """A VM whose printing is kept; one of its node's steps fails. harm: what else is done to the node."""

    harm = ""

    def __init__(self, **options: Any) -> None:
        self.printed: list[str] = []
        self.boot_secret = b""
        self.left: dict[str, bytes] = {}
        super().__init__(**options, on_output=self.printed.append)

    def loop(self, function: str, *rest: Any, **options: Any) -> Any:
        so_far = len(self.printed)
        self.boot_secret = bytes.fromhex(self._do(_BOOT_SECRET).strip())
        del self.printed[so_far:]
        self._do(_WATCH)
        self._do(self.harm)
        turns = super().loop(function, *rest, **options)
        short = firmware_source.short_names().short
        self._do(_SHOW.format(held=[short.get(name, name) for name in secrecy.HELD.split()]))
        self.left = self.tree("/pv")
        return turns

    def _do(self, code: str) -> str:
        result = self.run(firmware_source.beside(code))
        assert result.ok, result.error
        return result.output

    @property
    def slots(self) -> list[bytes]:
        """Every slot's body that was written."""
        bodies = [slot_body(data) for path, data in self.flash_writes if path == runner.KEYS_IMAGE]
        return [body for body in bodies if body is not None]


@pytest.fixture
def lived(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[WatchedVm, runner.NodeRun, dict[str, bytes]]]:
    """lived(hours, harm="") -> (VM, run, {what it is: secret})."""

    def run(hours: int, harm: str = "") -> tuple[WatchedVm, runner.NodeRun, dict[str, bytes]]:
        monkeypatch.setattr(runner, "WIFI", ("depot", secrecy.WIFI_KEY))
        monkeypatch.setattr(WatchedVm, "harm", harm)
        faults = {"pv_keys": [[30, "fail", 100, 2]]}
        around = nights.moving_and_warm(hours, flash_faults=faults, network={"outages": [[4000, 9000]]})
        vm, ran = nights.live(monkeypatch, WatchedVm, around)
        end_s = around.end_s
        messages = captured((message.payload for message in ran.messages), ran.record, end_s)
        secrets = secrecy.of_node(ran.record, 2, ((one.at[0], one.stream, one.envelope) for one in messages))
        secrets |= {"Wi-Fi key": secrecy.WIFI_KEY.encode(), "boot secret": vm.boot_secret}
        secrets |= {f"pool {n}": KeyState(body).pool for n, body in enumerate(vm.slots)}
        return vm, ran, secrets

    return run


def outside(vm: WatchedVm) -> dict[str, list[bytes]]:
    """Everything that leaves a node's RAM but for its key partition."""
    writes = [(path, data) for path, data in vm.flash_writes if path != runner.KEYS_IMAGE]
    return {
        "written": [data for _, data in writes] + [path.encode() for path, _ in writes],
        "sent": vm.sent,
        "printed": [line.encode() for line in vm.printed],
    }


@pytest.mark.parametrize("lead", range(4))
def test_the_search_finds_what_is_there(lead: int) -> None:
    secret, around = hashlib.sha256(b"secret").digest(), hashlib.sha256(b"around").digest()
    raw = around[:lead] + secret[5:24] + around[lead:9]
    coded = [raw, raw.hex().encode(), raw.hex().upper().encode(), base64.b64encode(raw), base64.b64encode(raw[::-1])]
    coded += [repr(raw).encode(), repr(list(raw)).encode(), raw.hex(":").encode()]
    for spelt in coded:
        for piece in (spelt, spelt[::-1]):
            assert secrecy.seen({"it": secret}, [b"x" + piece + b"y"]) == {"it"}
            # Written in two parts.
            assert secrecy.seen({"it": secret}, [piece[: len(piece) // 2], piece[len(piece) // 2 :]]) == {"it"}
    assert secrecy.seen({"it": secret}, [around, secret[:7], secret[8:15]]) == set()


@pytest.mark.vm
@pytest.mark.e2e
def test_a_whole_day_shows_no_secret(lived: Any) -> None:
    vm, ran, secrets = lived(DAY_HOURS)
    # It was a day worth searching.
    by_stream = {letter: sum(f"/{letter}/" in message.topic for message in ran.messages) for letter in "rlde"}
    assert all(count >= DAY_HOURS - 2 for count in by_stream.values()), by_stream
    printed = firmware_source.short_names().spelt_out("".join(vm.printed))
    assert printed.count("step failed") == 1
    assert "hkdf" in printed
    assert "TypeError" in printed
    assert "KeyChain" in printed
    assert len(secrets) > 500
    found = {where: secrecy.seen(secrets, pieces) for where, pieces in outside(vm).items()}
    assert found == {"written": set(), "sent": set(), "printed": set()}
    # The search sees them where they are; what the host keeps to itself is nowhere.
    slots = secrecy.seen(secrets, vm.slots)
    assert {"C[2]", "D[0]", "D[1]", "S[1,3,22]", "k_config", "k_consent", "consent"} <= slots
    assert not slots & {"C[0]", "Wi-Fi key", "K[0]", "K[1]", "boot secret"}
    # On flash beside the slots: what the host wrote in the configuration, untouched, and nowhere else.
    assert [path for path, _ in vm.flash_writes if path.startswith(wire.FILE_CONFIG)] == []
    config = vm.left.pop(wire.FILE_CONFIG)
    assert secrecy.seen(secrets, [config]) == {"Wi-Fi key"}
    assert secrecy.seen(secrets, vm.left.values()) == set()


RAISES = """
def _step(old=_step, told=[]):
    if not told:
        told.append(1)
        raise ValueError('bad key', _keys._state.names)
    return old()
"""
HARMS = {
    "printed": ("print('key:', _keys._state.chain)", "C["),
    "printed_hex": ("import binascii; print(binascii.hexlify(_keys._boot_secret[8:16]))", "boot secret"),
    "exception": (RAISES, "D["),
    "written": ("with open('/pv/debug', 'wb') as file:\n    file.write(_keys._state.k_config[:9])", "k_config"),
    "sent": ("app.pipeline._pseudonyms.session = lambda: _keys.names_secret[:8]", "D["),
}


@pytest.mark.vm
@pytest.mark.e2e
@pytest.mark.parametrize("where", HARMS)
def test_a_secret_let_out_is_seen(lived: Any, where: str) -> None:
    code, what = HARMS[where]
    vm, _, secrets = lived(2, code)
    place = where.partition("_")[0].replace("exception", "printed")
    found = {name: secrecy.seen(secrets, pieces) for name, pieces in outside(vm).items()}
    assert any(name.startswith(what) for name in found.pop(place))
    if place != "sent":
        # What goes out in a session waits on flash under its name before.
        assert not any(found.values())
