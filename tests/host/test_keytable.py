"""The processor's table opens the streams and days it was made for, and tells nothing of other streams and days."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import ValidationError

from host_tools import derive, rules
from host_tools.content import Health, Position
from host_tools.errors import UsageError
from host_tools.keyring import KeyRing, TableRing
from host_tools.keytable import ProcessorTable, make_table
from host_tools.registry import Node
from host_tools.validate import Validator
from plumveil import wire
from tests.host import messages
from tests.host.messages import DAY_S, EPOCH, MASKED, NODE, NOW_S, START_S, only, sealed

DAY = DAY_S // wire.EPOCH_S
ALL = set(range(len(wire.STREAMS)))
# Covers three days, so that it would tie them together if anything of it did.
LONG = NODE.consents[0].model_copy(update={"starts_s": DAY_S - wire.EPOCH_S + 500, "expires_s": NOW_S})
LASTING = NODE.model_copy(update={"consents": (LONG,)})
OTHER = NODE.model_copy(
    update={
        "name": "truck",
        "k_id": "a1" * 32,
        "k_chain": "b2" * 32,
        "k_config": "c3" * 32,
        "k_consent": "d4" * 32,
        "epoch0_day": DAY - 1,
        "consents": (),
    }
)


def table(*nodes: Node, streams: Iterable[int] = ALL, days: tuple[int, int] = (DAY, DAY)) -> ProcessorTable:
    """A table as the processor gets it: through a file."""
    made = make_table(nodes or (NODE, OTHER), set(streams), *days)
    return ProcessorTable.model_validate_json(made.model_dump_json())


def processor(given: ProcessorTable) -> Validator:
    return Validator(TableRing(given), NOW_S)


def test_the_processor_opens_what_it_was_given_for() -> None:
    one = processor(table())
    controller = messages.validator()
    for stream in messages.STREAMS:
        mine, theirs = one.check(sealed(stream)), controller.check(sealed(stream))
        assert mine.findings == theirs.findings == []
        assert mine.keys is not None
        assert (mine.keys.stream, mine.keys.day) == (stream, DAY)
        if stream != wire.LOCATION:
            assert mine.content == theirs.content
        else:
            assert isinstance(mine.content, Position)
            assert mine.content[:-1] == theirs.content[:-1]  # type: ignore[index]


def test_whose_it_was_is_not_known() -> None:
    message = processor(table()).check(sealed(wire.LOCATION))
    assert message.keys is not None
    assert (message.keys.rules.name, message.keys.epoch, message.keys.unmask) == (None, None, None)
    assert isinstance(message.content, Position)
    assert (message.content.serial, message.content.consent) == (None, messages.reference())


@pytest.mark.parametrize("stream", messages.STREAMS)
def test_other_streams_and_days_stay_shut(stream: int) -> None:
    less = processor(table(streams=ALL - {stream}))
    assert only(less.check(sealed(stream))).rule == rules.PSEUDONYM
    one = processor(table())
    for epoch in (EPOCH - 1, EPOCH + 1):
        body = {**messages.BODIES[stream], wire.K_TIME: START_S + (epoch - EPOCH) * wire.EPOCH_S}
        assert only(one.check(sealed(stream, body, epoch=epoch))).rule == rules.PSEUDONYM


def test_a_key_of_one_day_and_stream_opens_no_other() -> None:
    """Rows put under other pseudonyms: their secrets do not open what is sealed under those."""
    given = table(streams={wire.READINGS, wire.DEVICE}, days=(DAY, DAY + 1))
    kids = [row.kid for row in given.rows]
    turned = [
        row.model_copy(update={"kid": kid, "day": DAY, "stream": wire.READINGS})
        for row, kid in zip(given.rows, kids[1:] + kids[:1], strict=True)
    ]
    rows = tuple(sorted(turned, key=lambda row: row.kid))
    one = processor(ProcessorTable(tenant=given.tenant, policies=given.policies, rows=rows))
    assert only(one.check(sealed(wire.READINGS))).rule == rules.AUTHENTICITY


def test_masked_health_stays_masked() -> None:
    own = messages.sender(wire.DEVICE)
    sent = own.masked(START_S, {wire.F_UPTIME: 3, wire.F_QUEUE: 12})
    body = messages.device(health=sent, drops=own.masked_drops(START_S, messages.DROPS))
    message = processor(table()).check(sealed(wire.DEVICE, body, policy=MASKED))
    assert (message.findings, message.content) == ([], Health(START_S, sent, None, masked=True))
    assert sent != {wire.F_UPTIME: 3, wire.F_QUEUE: 12}
    beyond = {**sent, wire.F_QUEUE: 4096}
    broken = processor(table()).check(sealed(wire.DEVICE, messages.device(health=beyond), policy=MASKED))
    assert (only(broken).rule, only(broken).where) == (rules.RANGE, f"health[{wire.F_QUEUE}]")


def test_rules_are_held_as_by_the_controller() -> None:
    one, controller = processor(table()), messages.validator()
    breaches = [
        sealed(wire.READINGS, messages.readings({wire.F_HUMIDITY: [90, 93]}), counter=1),
        sealed(wire.READINGS, policy=9, counter=2),
        sealed(wire.LOCATION, messages.location(time=START_S + 3600), counter=3),
        sealed(wire.LOCATION, messages.location(consent=bytes(8)), counter=4),
        sealed(wire.LOCATION, messages.location(cell=[4, 60000, 1]), counter=5, policy=2),
        sealed(wire.EVENTS, messages.event(wire.E_SHOCK, 40), counter=6),
        sealed(wire.DEVICE, messages.device(time=START_S + wire.EPOCH_S), counter=7),
    ]
    for data in breaches:
        assert one.check(data).findings == controller.check(data).findings != []


def texts(value: Any) -> set[str]:
    """Every string in a JSON value, and every number large enough to tell something."""
    if isinstance(value, dict):
        return set().union(*map(texts, value.values()), set())
    if isinstance(value, list):
        return set().union(*map(texts, value), set())
    return {str(value)} if isinstance(value, str) or (isinstance(value, int) and value > 1000) else set()


def test_nothing_is_the_same_in_two_epochs() -> None:
    """No serial, reference, key or time by which one day's rows of a node could be told from another node's."""
    days = range(DAY - 1, DAY + 2)
    by_day = [[row.model_dump(mode="json") for row in table(LASTING, days=(day, day)).rows] for day in days]
    assert [len(rows) for rows in by_day] == [5, 5, 5]
    assert all(row["consents"] for rows in by_day for row in rows if row["stream"] == wire.LOCATION)
    # A day's end is the next one's start.
    edges = {str(day * wire.EPOCH_S) for day in range(DAY - 1, DAY + 3)}
    for n, rows in enumerate(by_day):
        for others in by_day[n + 1 :]:
            assert not (texts(rows) & texts(others)) - edges


def test_a_consents_term_is_cut_to_the_day() -> None:
    ((first,), (middle,), (last,)) = (
        next(row.consents for row in table(LASTING, days=(day, day)).rows if row.stream == wire.LOCATION)
        for day in range(DAY - 1, DAY + 2)
    )
    assert (first.starts_s, first.expires_s) == (LONG.starts_s, DAY_S)
    assert (middle.starts_s, middle.expires_s) == (DAY_S, DAY_S + wire.EPOCH_S)
    assert (last.starts_s, last.expires_s) == (DAY_S + wire.EPOCH_S, NOW_S)
    after = table(LASTING, days=(DAY + 2, DAY + 2))
    assert not any(row.consents for row in after.rows)


def test_what_the_table_was_made_from_is_not_in_it() -> None:
    text = table(LASTING, OTHER, days=(DAY - 1, DAY + 1)).model_dump_json()
    told = [NODE.name, OTHER.name, LONG.purpose, LONG.who, LONG.notice, f'"{LONG.serial}"', str(LONG.starts_s - 500)]
    secrets = [LONG.secret]
    for node in (NODE, OTHER):
        names, chain = derive.Chain(bytes.fromhex(node.k_id)), derive.Chain(bytes.fromhex(node.k_chain))
        secrets += [node.k_config, node.k_consent]
        # Every D and C, of the epochs given as of those before and after.
        secrets += [one.at(epoch).hex() for one in (names, chain) for epoch in range(EPOCH + 5)]
        # Of each stream the day's first step, from which only that day's follow.
    assert not [secret for secret in told[:5] + secrets if secret in text]
    assert '"serial"' not in text
    assert '"purpose"' not in text


def test_only_the_first_steps_of_the_days_asked_for_are_in_it() -> None:
    given = table(NODE, streams={wire.READINGS}, days=(DAY, DAY))
    chain = derive.Chain(messages.K_CHAIN)
    (row,) = given.rows
    assert row.secret == derive.stream_secret(chain.at(EPOCH), wire.READINGS).hex()
    assert row.kid == messages.sender(wire.READINGS).kid.hex()


def test_a_nodes_place_among_nodes_does_not_show() -> None:
    differing = OTHER.model_copy(update={"policies": NODE.policies[:0:-1]})
    one, other = (make_table(nodes, ALL, DAY - 3, DAY) for nodes in ([NODE, differing], [differing, NODE]))
    assert one == other
    assert [row.kid for row in one.rows] == sorted(row.kid for row in one.rows)


def test_policies_stand_once_each_and_are_not_mixed_up() -> None:
    """Two nodes whose policies of one version differ."""
    wider = NODE.policies[0].model_copy(update={"fields": messages.WIDE})
    differing = OTHER.model_copy(update={"policies": (wider, *NODE.policies[1:])})
    given = table(NODE, differing)
    assert len(given.policies) == 4
    names, chain = (derive.Chain(bytes.fromhex(text)) for text in (differing.k_id, differing.k_chain))
    shock = messages.readings({wire.F_SHOCK_PEAK: [1, 2]})
    sender = messages.encoder.Sender(names.at(0), chain.at(0), messages.TENANT, wire.READINGS, 1, messages.SALT)
    one = processor(given)
    assert one.check(sender.seal(messages.STEP, 1, 0, messages.encoder.plaintext(shock))).findings == []
    assert only(one.check(sealed(wire.READINGS, shock))).rule == rules.FIELD


def test_days_before_a_nodes_first_are_left_out() -> None:
    rows = table(OTHER, days=(DAY - 9, DAY)).rows
    assert {row.day for row in rows} == {DAY - 1, DAY}


@pytest.mark.parametrize(
    ("nodes", "days"),
    [
        ((), (DAY, DAY)),
        ((NODE,), (DAY, DAY - 1)),
        ((NODE,), (-1, DAY)),
        ((NODE,), (DAY, 10**6)),
        ((NODE, OTHER.model_copy(update={"tenant": "another"})), (DAY, DAY)),
    ],
)
def test_no_nodes_no_days_and_two_tenants_are_errors_of_usage(nodes: tuple[Node, ...], days: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="a key table"):
        make_table(nodes, ALL, *days)


DAMAGE: list[tuple[tuple[str | int, ...], Any]] = [
    (("rows", 0, "kid"), "00" * 7),
    (("rows", 0, "secret"), "zz" * 32),
    (("rows", 0, "stream"), 5),
    (("rows", 0, "day"), -1),
    (("rows", 0, "policies"), [99]),
    (("rows", 0, "policies"), [-1]),
    (("rows", 0, "policies"), [0, 0]),
    (("rows", 0, "extra"), 1),
    (("rows", 0, "kid"), "ff" * 8),
    (("tenant",), ""),
    (("rows", 0, "consents"), [{"reference": "00"}]),
]


@pytest.mark.parametrize(("where", "value"), DAMAGE)
def test_a_damaged_table_is_refused_without_a_secret(where: tuple[str | int, ...], value: Any) -> None:
    loaded: Any = json.loads(table().model_dump_json())
    inner = loaded
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    with pytest.raises(ValidationError) as caught:
        ProcessorTable.model_validate_json(json.dumps(loaded))
    assert not any(row["secret"] in str(caught.value) for row in loaded["rows"])


def test_consents_beside_another_stream_are_refused() -> None:
    given = table()
    (consents,) = {row.consents for row in given.rows if row.consents}
    rows = [row.model_copy(update={"consents": consents}) for row in given.rows]
    with pytest.raises(ValidationError, match="needs none"):
        ProcessorTable.model_validate_json(given.model_copy(update={"rows": tuple(rows)}).model_dump_json())


def test_repr_shows_no_secret() -> None:
    given = table()
    keys = TableRing(given).find(messages.sender(wire.DEVICE).kid)
    controllers = KeyRing([NODE], NOW_S).find(messages.sender(wire.DEVICE).kid)
    assert controllers is not None
    shown = repr(given) + repr(given.rows) + repr(keys) + repr(controllers) + repr(controllers.unmask)
    hidden = {row.secret for row in given.rows} | {one.key for row in given.rows for one in row.consents}
    raw = derive.Chain(messages.K_ID).at(EPOCH)
    assert not any(secret in shown for secret in [*hidden, raw.hex(), repr(raw)[2:-1]])
