"""What the node's own firmware sends of consent, through a few days of it, and what the host makes of that: every
message sound, every position under its receipt, and the log on the host the one on the node.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cbor2
import nodefiles  # type: ignore[import-not-found]
import pytest

from host_tools import keyring
from host_tools.content import Event, Position
from host_tools.keys.entries import ACTIVE, Entry, KeySet
from host_tools.keytable import make_table
from host_tools.registry import ConsentRecord, Policy
from host_tools.validate import Validator
from plumveil import terms, wire
from tests.host import keystores
from tests.host.command_line import Ended, run
from tests.host.lives import START_S, Life, grant, serial_at

DAY_S = 86400
NOW_S = START_S + 4 * DAY_S
NOW = datetime.fromtimestamp(NOW_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
FIRST, SECOND = serial_at(START_S), serial_at(START_S + DAY_S)
SECRETS = {FIRST: bytes([1] * 32), SECOND: bytes([2] * 32)}


def consent(serial: int, expires_s: int) -> ConsentRecord:
    """The controller's record of a grant that `grant` makes."""
    parts = nodefiles.grant_map()
    return ConsentRecord(
        serial=serial,
        tier=parts[terms.G_TIER],
        starts_s=parts[terms.G_STARTS_S],
        expires_s=expires_s,
        purpose=parts[terms.G_PURPOSE],
        secret=SECRETS[serial].hex(),
        notice=parts[terms.G_NOTICE],
        who=parts[terms.G_WHO],
        issued_s=parts[terms.G_ISSUED_S],
        policy=parts[terms.G_POLICY],
    )


POLICIES = tuple(
    Policy(version=version, fields=nodefiles.policy_map()[wire.P_FIELDS], location_ceiling=3, health_mask=True)
    for version in (1, 2)
)
CONSENTS = (consent(FIRST, START_S + DAY_S), consent(SECOND, START_S + 3 * DAY_S))
KEYS = KeySet(
    nodefiles.K_ID, nodefiles.K_CHAIN, nodefiles.K_CONFIG, nodefiles.K_CONSENT, epoch0_day=nodefiles.EPOCH0_DAY
)
ENTRY = Entry(
    0, "lorry", "acme", ACTIVE, "virtual", None, nodefiles.K_CONFIG, KEYS, policies=POLICIES, consents=CONSENTS
)


class Sent:
    """A node that lives, and all it queued, in that order."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self.messages: list[bytes] = []
        self.streams: list[int] = []
        self.life = Life(folder, monkeypatch)
        self.boot()

    def boot(self) -> None:
        assert self.life.boot()
        put = self.life.store.put

        def kept(sealed: Any) -> None:
            self.messages.append(bytes(sealed.message))
            self.streams.append(sealed.stream)
            put(sealed)

        self.life.store.put = kept  # type: ignore[method-assign]

    def give(self, serial: int, expires_s: int) -> int:
        return self.life.apply(grant(serial, G_EXPIRES_S=expires_s, G_SECRET=SECRETS[serial]))

    def drive(self, hours: int) -> None:
        for _ in range(hours * 12):
            self.life.position()
            self.life.empty()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sent]:
    """Four days: a grant, a boot, a refusal, its end by time; another grant, taken back by the button; a policy."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        node = Sent(tmp_path_factory.mktemp("node"), monkeypatch)
        life = node.life
        node.drive(1)
        assert node.give(FIRST, START_S + DAY_S) == 0
        node.drive(14)
        assert life.apply(grant(FIRST)) == terms.N_REPLAYED
        node.boot()
        node.drive(12)
        assert node.give(SECOND, START_S + 3 * DAY_S) == 0
        node.drive(20)
        life.app.desk.withdraw(terms.BY_BUTTON)
        node.drive(2)
        life.configure(P_VERSION=2)
        node.boot()
        node.drive(1)
        yield node


def controller() -> Validator:
    return Validator(keyring.KeyRing(ENTRY.records(), NOW_S), NOW_S)


def test_every_message_is_sound_in_the_order_of_its_sealing(told: Sent) -> None:
    validator = controller()
    contents = []
    for message in told.messages:
        verdict = validator.check(message)
        assert verdict.findings == []
        contents.append(verdict.content)
    assert sum(isinstance(one, Position) for one in contents) == told.life.located > 300
    kinds = [one.entry.kind for one in contents if isinstance(one, Event) and one.entry is not None]
    assert kinds == [
        terms.LOG_POLICY,
        terms.LOG_GRANTED,
        terms.LOG_REFUSED,
        terms.LOG_EXPIRED,
        terms.LOG_GRANTED,
        terms.LOG_WITHDRAWN,
        terms.LOG_POLICY,
    ]


def test_the_receipts_are_the_log_on_the_node(told: Sent) -> None:
    validator = controller()
    contents = [validator.check(message).content for message in told.messages]
    raw = b"".join(one.entry.raw for one in contents if isinstance(one, Event) and one.entry is not None)
    assert raw == told.life.log()


def test_without_its_events_no_position_passes(told: Sent) -> None:
    validator = controller()
    positions = [m for m, stream in zip(told.messages, told.streams, strict=True) if stream == wire.LOCATION]
    assert not any(validator.check(message).valid for message in positions)


def test_a_processor_with_events_needs_nobodys_word(told: Sent) -> None:
    """Statements alone, one an epoch and with each change, let every position of these days pass."""
    first = START_S // DAY_S
    streams = (wire.LOCATION, wire.EVENTS)
    table = make_table(ENTRY.records(), streams, first, first + 4)
    validator = Validator(keyring.TableRing(table), NOW_S)
    chosen = [m for m, stream in zip(told.messages, told.streams, strict=True) if stream in streams]
    verdicts = [validator.check(message) for message in chosen]
    assert [one.findings for one in verdicts] == [[]] * len(chosen)
    assert sum(isinstance(one.content, Position) for one in verdicts) == told.life.located
    assert not any(isinstance(one.content, Event) and one.content.entry for one in verdicts)


def with_store(command: list[str | Path], store: Path, *arguments: str | Path) -> Ended:
    secret = keystores.PASSPHRASE
    return run(*command, "--keystore", store, "--now", NOW, *arguments, PLUMVEIL_PASSPHRASE=secret)


def test_collected_and_audited(told: Sent, tmp_path: Path) -> None:
    """P11, from the node to the auditor's page."""
    store = keystores.make(tmp_path, ENTRY)
    path = tmp_path / "messages.cborseq"
    path.write_bytes(b"".join(told.messages))
    ended = with_store(["consent", "collect", path], store)
    assert (ended.code, "7 new, 0 known" in ended.out) == (0, True)
    ended = with_store(["audit", "--messages", path], store, "--json", "--html", tmp_path / "page.html")
    found = json.loads(ended.out)
    assert (ended.code, found["faults"]) == (0, [])
    (node,) = found["nodes"]
    assert node["positions"]["with_receipt"] == told.life.located
    assert [one["consent"] for one in node["positions"]["receipts"]] == [FIRST, SECOND]
    assert [one["event_state"] for one in node["consents"]] == ["expired", "withdrawn"]
    (log,) = node["logs"]
    assert (log["whole"], log["entries"]) == (True, 7)
    assert [one["in_force"] != [] for one in node["policies"]] == [True, True]
    assert "Sound." in (tmp_path / "page.html").read_text()


def test_one_receipt_less_is_found(told: Sent, tmp_path: Path) -> None:
    """Whichever it is, but the last of all: of that nobody knows that it was."""
    validator = controller()
    at = [
        place
        for place, message in enumerate(told.messages)
        if isinstance(content := validator.check(message).content, Event) and content.entry is not None
    ]
    for number, missing in enumerate(at[:-1], 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "messages.cborseq"
        path.write_bytes(b"".join(message for place, message in enumerate(told.messages) if place != missing))
        ended = with_store(["audit", "--messages", path], keystores.make(folder, ENTRY), "--json")
        assert ended.code == 1
        assert any(f"entry {number} missing" in fault for fault in json.loads(ended.out)["faults"])


def test_the_node_reads_and_makes_what_the_document_says() -> None:
    """The examples of docs/wire-format.md, by the firmware."""
    from host_tools import terms_examples as examples
    from plumveil import grant as node_side

    class State:
        k_consent, tenant, epoch = examples.K_CONSENT, examples.TENANT, examples.EPOCH
        serial, voids = 0, ()

    class InForce:
        location_ceiling, widened = 3, 1

    made = dict(examples.examples())
    assert node_side.read(made["grant"], State(), InForce(), examples.START_S) == examples.PAYLOAD
    assert node_side.read(made["delegated grant"], State(), InForce(), examples.START_S) == examples.DELEGATED
    assert node_side.command(made["command"], State()) == (terms.DOWN_REVOKE, examples.CONSENT_SERIAL)
    assert cbor2.loads(made["entry granted"])[4] == examples.logged(examples.PAYLOAD)
