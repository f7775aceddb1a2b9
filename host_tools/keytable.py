"""The processor's table: for each pseudonym of the streams and days handed out, the keys that open it and the rules
its messages are held to. Made by the controller from its nodes; holds nothing from which another day, node or stream
follows, and no name. What is the same from day to day (a serial, a consent's term, a node's place in a list) must not
stand in it.
"""

from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from host_tools import derive
from host_tools.errors import UsageError
from host_tools.registry import EPOCH0_DAY_MAX, ConsentRecord, Node, Policy, Secret, Text, UnixS
from plumveil import wire

Kid = Annotated[str, StringConstraints(pattern=f"^[0-9a-f]{{{2 * wire.PSEUDONYM_BYTES}}}$")]
Reference = Annotated[str, StringConstraints(pattern=f"^[0-9a-f]{{{2 * wire.CONSENT_REF_BYTES}}}$")]
Day = Annotated[int, Field(ge=0, le=EPOCH0_DAY_MAX)]
Index = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class RowConsent(_Strict):
    """A consent as it stands on one day: its reference, its key of that epoch (hex), its term as far as it lies
    within the day (Unix s; in a row without a day, seconds of it), and whether the controller had the node's receipt
    of it when the table was made."""

    reference: Reference
    key: Annotated[Secret, Field(repr=False)]
    tier: Annotated[int, Field(ge=1, lt=len(wire.TIERS))]
    starts_s: UnixS
    expires_s: UnixS
    receipted: bool = False


class Row(_Strict):
    """One stream of one node on one day: pseudonym, Unix day of the epoch, S[e, stream, 0] (hex), the policies that
    its messages may name (indices into the table's), and for the location stream the consents.

    day: None where the node's policy splits dates off and the table has no stream of dates.
    """

    kid: Kid
    stream: Annotated[int, Field(ge=0, lt=len(wire.STREAMS))]
    day: Day | None
    secret: Annotated[Secret, Field(repr=False)]
    policies: tuple[Index, ...]
    consents: tuple[RowConsent, ...] = ()


class ProcessorTable(_Strict):
    """What a processor is given. Policies are each there once, rows in the order of their pseudonyms."""

    tenant: Text
    policies: tuple[Policy, ...] = ()
    rows: tuple[Row, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> "ProcessorTable":
        if any(before.kid >= after.kid for before, after in pairwise(self.rows)):
            raise ValueError("rows are not in order, or repeat")
        versions = [policy.version for policy in self.policies]
        sound: set[tuple[int, ...]] = set()
        for row in self.rows:
            if row.consents and row.stream != wire.LOCATION:
                raise ValueError("a consent beside a stream that needs none")
            if row.policies in sound:
                continue
            if any(number >= len(versions) for number in row.policies):
                raise ValueError("a row names a policy that is not there")
            if len({versions[number] for number in row.policies}) != len(row.policies):
                raise ValueError("policy versions of a row repeat")
            sound.add(row.policies)
        return self


class DayConsent(NamedTuple):
    """A consent in one epoch: the reference that messages carry, and its key."""

    reference: bytes
    key: bytes
    record: ConsentRecord


def day_consents(node: Node, epoch: int, id_secret: bytes, consents: Iterable[ConsentRecord]) -> list[DayConsent]:
    """Consents of a node as they are known in one epoch. id_secret: D[e]."""
    return [
        DayConsent(
            derive.consent_reference(id_secret, node.tenant, consent.serial),
            derive.consent_key(bytes.fromhex(consent.secret), epoch),
            consent,
        )
        for consent in consents
    ]


def make_table(nodes: Iterable[Node], streams: Collection[int], first_day: int, last_day: int) -> ProcessorTable:
    """The table of `streams` of these nodes from `first_day` to `last_day` (Unix days, both included).

    Days are those of the epochs: of a node that runs ahead of the calendar the messages of a day are in the rows of a
    later one. UsageError when there is no node or no day, or the nodes are of several tenants.
    """
    nodes = list(nodes)
    tenants = {node.tenant for node in nodes}
    if len(tenants) != 1:
        raise UsageError("a key table is for the nodes of one tenant: give nodes, and of one tenant only")
    if not 0 <= first_day <= last_day <= EPOCH0_DAY_MAX:
        raise UsageError("a key table needs a first day and a last day that is no earlier")
    places = _places(policy for node in nodes for policy in node.policies)
    rows: list[Row] = []
    for node in nodes:
        numbers = tuple(sorted(places[_spelling(policy)][0] for policy in node.policies))
        rows += _rows(node, streams, numbers, range(max(first_day, node.epoch0_day), last_day + 1))
    return ProcessorTable(
        tenant=tenants.pop(),
        policies=tuple(policy for _, policy in sorted(places.values(), key=lambda place: place[0])),
        rows=tuple(sorted(rows, key=lambda row: row.kid)),
    )


def _spelling(policy: Policy) -> tuple[object, ...]:
    # By version and content, whatever order its fields stand in.
    flags = policy.health_mask, policy.split_dates
    return policy.version, policy.location_ceiling, flags, tuple(sorted(policy.fields.items()))


def _places(policies: Iterable[Policy]) -> dict[tuple[object, ...], tuple[int, Policy]]:
    """{a policy's spelling: (its number, itself)}, numbered by content, which tells nothing of the nodes' order."""
    distinct = {_spelling(policy): policy for policy in policies}
    ordered = sorted(distinct, key=repr)
    return {spelling: (number, distinct[spelling]) for number, spelling in enumerate(ordered)}


def _rows(node: Node, streams: Collection[int], policies: tuple[int, ...], days: range) -> list[Row]:
    names, chain = derive.Chain(bytes.fromhex(node.k_id)), derive.Chain(bytes.fromhex(node.k_chain))
    rows = []
    dated = wire.DATES in streams or not any(policy.split_dates for policy in node.policies)
    for day in days:
        epoch = day - node.epoch0_day
        id_secret, chain_secret = names.at(epoch), chain.at(epoch)
        for stream in sorted(set(streams)):
            rows.append(
                Row(
                    kid=derive.pseudonym(id_secret, node.tenant, stream).hex(),
                    stream=stream,
                    day=day if dated else None,
                    secret=derive.stream_secret(chain_secret, stream).hex(),
                    policies=policies,
                    consents=_consents(node, day, id_secret, dated=dated) if stream == wire.LOCATION else (),
                )
            )
    return rows


def _consents(node: Node, day: int, id_secret: bytes, *, dated: bool) -> tuple[RowConsent, ...]:
    """Those in force at some time of the day, their terms cut to it: their real ones would tie the days together.

    dated: their terms are in Unix s, else in seconds of the day.
    """
    start_s, end_s = day * wire.EPOCH_S, (day + 1) * wire.EPOCH_S
    origin_s = 0 if dated else start_s
    of_day = [consent for consent in node.consents if consent.starts_s < end_s and consent.expires_s > start_s]
    rows = [
        RowConsent(
            reference=one.reference.hex(),
            key=one.key.hex(),
            tier=one.record.tier,
            starts_s=max(one.record.starts_s, start_s) - origin_s,
            expires_s=min(one.record.expires_s, end_s) - origin_s,
            receipted=one.record.receipted,
        )
        for one in day_consents(node, day - node.epoch0_day, id_secret, of_day)
    ]
    return tuple(sorted(rows, key=lambda row: row.reference))
