"""No exception of the firmware says a secret, handled or not, and no object that holds one shows it: firmware and
on the host. Parts of eight bytes count."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import nodefiles  # type: ignore[import-not-found]
import pytest
from pydantic import ValidationError

from host_tools import boards, derive, provision, reference_encoder
from host_tools.consent import grants
from host_tools.consent.grants import Terms
from host_tools.keyring import KeyRing, NodeKeys, TableRing
from host_tools.keytable import make_table
from host_tools.policy.profile import load_profile
from host_tools.registry import Node, Registry
from plumveil import wire
from plumveil.config import Config
from plumveil.errors import ConfigError
from plumveil.keys import KeyChain, Seal
from plumveil.keystate import KeyState
from tests.e2e import secrecy
from tests.e2e.bench import NIGHT_S, Bench, own_files
from tests.e2e.secrecy import HELD, WIFI_KEY


class Raised:
    """Within `with`: what every exception that passes through the firmware says of itself."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.kinds: set[str] = set()

    def __enter__(self) -> Raised:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: Any, event: str, argument: Any) -> Any:
        if "plumveil" not in frame.f_code.co_filename:
            return None
        if event == "exception":
            self.kinds.add(argument[0].__name__)
            self.texts += [str(argument[1]), repr(argument[1]), repr(argument[1].args)]
        return self._call


def of_bench() -> dict[str, bytes]:
    """The secrets of nodefiles' node: of its first six days, which is more than it lives."""
    record = provisioned().record.model_copy(
        update={
            "k_id": nodefiles.K_ID.hex(),
            "k_chain": nodefiles.K_CHAIN.hex(),
            "k_config": nodefiles.K_CONFIG.hex(),
            "k_consent": nodefiles.K_CONSENT.hex(),
        }
    )
    return secrecy.of_node(record, 5) | {"consent": nodefiles.CONSENT_SECRET, "Wi-Fi key": b"correct horse"}


def made_network() -> provision.Network:
    return provision.Network("127.0.0.1", 1883, None, "depot", WIFI_KEY)


def provisioned() -> provision.Provisioned:
    board, profile = boards.load("virtual"), load_profile("general")
    made = provision.provision("van", "acme", board, profile, made_network(), nodefiles.EPOCH0_DAY)
    return replace(made, record=granted(made.record).node)


def granted(node: Node) -> grants.Granted:
    given = Terms(3, "route", "2026-05", "J. Doe", nodefiles.NOON_S - 86400, nodefiles.NOON_S + 86400)
    return grants.given_to(node, given, nodefiles.NOON_S)


def damaged(data: bytes) -> Iterator[bytes]:
    """Every beginning, and every byte changed."""
    for at in range(len(data)):
        yield data[:at]
        yield data[:at] + bytes([data[at] ^ 0x21]) + data[at + 1 :]


def harmed_bench(folder: Path) -> Bench:
    """A node that lived for hours with flash that fails now and then, which no step of it fails of."""
    bench = Bench(folder)
    for nth, fault in ((1, "fail"), (5, "idle"), (8, "fail")):
        bench.flash.order(nth, fault, 100, 2)
    bench.live(NIGHT_S + 4 * 3600)
    return bench


def test_no_exception_says_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_files(monkeypatch, tmp_path)
    body = cbor2.dumps(nodefiles.slot_map(), canonical=True)
    config = nodefiles.config_bytes(nodefiles.config_map())
    with Raised() as raised:
        bench = harmed_bench(tmp_path)
        for wrong in damaged(body):
            _refused(KeyState, wrong)
        for wrong in damaged(config):
            _refused(Config, wrong, nodefiles.K_CONFIG)
        for key, value in nodefiles.slot_map().items():
            for other in (None, [value], str(value), -1):
                _refused(KeyState, cbor2.dumps(nodefiles.slot_map() | {key: other}, canonical=True))
        # Faults that nobody foresaw, in the middle of sealing.
        chain = bench.app.pipeline._keys
        for secret in (None, 7, "text", [b"x"], nodefiles.K_ID.hex()):
            chain._state.streams, chain._seals = [secret] * 5, {}
            with pytest.raises((TypeError, ValueError)):
                chain.seal(wire.EVENTS)
    assert raised.kinds >= {"ConfigError", "Malformed", "SealRefused", "OSError", "TypeError"}
    assert secrecy.seen(of_bench(), (text.encode() for text in raised.texts)) == set()


def _refused(what: Callable[..., Any], *arguments: Any) -> None:
    with contextlib.suppress(ConfigError):
        what(*arguments)


def test_a_secret_in_an_exception_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_files(monkeypatch, tmp_path)

    def telling(self: KeyChain) -> None:
        from plumveil import errors, pack

        # Raised in the firmware's own frames.
        exec(
            compile("raise kind(secret)", pack.__file__, "exec"),
            {"kind": errors.SealRefused, "secret": self._state.chain},
        )

    bench = Bench(tmp_path)
    bench.live(NIGHT_S + 60)
    monkeypatch.setattr(KeyChain, "commit", telling)
    with Raised() as raised:
        bench.live(NIGHT_S + 3700)
    assert secrecy.seen(of_bench(), (text.encode() for text in raised.texts)) == {"C[3]"}


def shown(*objects: Any) -> list[bytes]:
    """All that objects say of themselves."""
    return [form(one).encode() for one in objects for form in (repr, str, "{}".format, ascii)]


def test_firmware_objects_show_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_files(monkeypatch, tmp_path)
    bench = harmed_bench(tmp_path)
    pipeline = bench.app.pipeline
    chain = pipeline._keys
    seals = list(chain._seals.values())
    assert all(type(seal) is Seal for seal in seals)
    assert seals
    objects = [bench.app, bench.config, chain, chain._state, chain._vault, pipeline, bench.store, bench.broker]
    objects += [getattr(pipeline, name) for name in HELD.split()] + seals + [seal.ccm for seal in seals]
    assert secrecy.seen(of_bench(), shown(*objects, *map(type, objects))) == set()


def host_objects(made: provision.Provisioned) -> list[Any]:
    """One of everything on the host that holds a node's secrets."""
    node = made.record
    day = node.epoch0_day
    table = make_table([node], range(len(wire.STREAMS)), day, day + 1)
    ring = KeyRing([node], (day + 1) * wire.EPOCH_S)
    kids = [bytes.fromhex(row.kid) for row in table.rows]
    found = [ring.find(kid) for kid in kids] + [TableRing(table).find(kid) for kid in kids]
    assert None not in found
    secrets = bytes.fromhex(node.k_id), bytes.fromhex(node.k_chain), bytes.fromhex(node.consents[0].secret)
    sender = reference_encoder.Sender(*secrets[:2], "acme", wire.LOCATION, 0, bytes(16), secrets[2])
    consents = [consent for row in table.rows for consent in row.consents]
    assert consents
    chains = [derive.Chain(secrets[0]), derive.Chain(secrets[1])]
    objects: list[Any] = [
        made,
        made_network(),
        node,
        *node.consents,
        Registry(nodes=(node,)),
        NodeKeys(node),
        ring,
        TableRing(table),
        *found,
    ]
    objects += [table, *table.rows, *consents, sender, *chains]
    objects += [keys.unmask for keys in found if keys is not None and keys.unmask is not None]
    more = granted(node.model_copy(update={"consents": ()}))
    return [*objects, more, *more.node.consents]


def test_host_objects_show_no_secret() -> None:
    made = provisioned()
    secrets = secrecy.of_node(made.record, 3) | {"Wi-Fi key": WIFI_KEY.encode()}
    objects = host_objects(made)
    assert secrecy.seen(secrets, shown(*objects, objects, dict.fromkeys(map(id, objects), objects))) == set()
    # That the search would see them: what is written on purpose shows them.
    dumped = made.record.model_dump_json().encode()
    assert secrecy.seen(secrets, [dumped]) >= {"C[0]", "D[0]", "k_config", "k_consent", "consent"}


@pytest.mark.parametrize("spoil", ["short", "long", "letter", "extra", "twice", "number"])
def test_a_key_file_that_is_wrong_shows_no_secret(spoil: str) -> None:
    made = provisioned()
    fields = made.record.model_dump()
    secrets = secrecy.of_node(made.record, 0)
    secrets = {name: secrets[name] for name in ("C[0]", "D[0]", "k_config", "k_consent", "consent")}
    changes = {
        "short": {"k_id": fields["k_id"][:-1]},
        "long": {"k_chain": fields["k_chain"] + "00"},
        "letter": {"k_config": fields["k_config"][:-1] + "g"},
        "extra": {"k_more": fields["k_id"]},
        "twice": {"k_id": fields["k_chain"]},
        "number": {"consents": [fields["consents"][0] | {"secret": fields["consents"][0]["secret"] + "0"}]},
    }
    with pytest.raises(ValidationError) as caught:
        Node.model_validate(fields | changes[spoil])
    assert secrecy.seen(secrets, shown(caught.value)) == set()
