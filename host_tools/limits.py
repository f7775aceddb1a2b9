"""What a node may send, compiled for quick look-ups: policies by version, consents by the reference of an epoch."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import NamedTuple

import cbor2

from host_tools import columns
from host_tools.registry import Policy
from plumveil import wire


class FieldRow(NamedTuple):
    """A row of wire.FIELDS by name."""

    field: int
    name: str
    stream: int
    raw_per_unit: int
    low: int
    high: int
    senml_unit: str
    senml_scale: tuple[int, int]


FIELDS: dict[int, FieldRow] = {row[0]: FieldRow(*row) for row in wire.FIELDS}
_SPECS = {row.field: columns.spec(row.name, row.low, row.high) for row in FIELDS.values()}


class Plan(NamedTuple):
    """How to decode one combination of columns: `steps` of the policy in wire units, 1 where it names none."""

    fields: tuple[int, ...]
    specs: tuple[columns.Spec, ...]
    steps: tuple[int, ...]
    coarse: bool  # some step is above 1


class Limits:
    """One policy version: `steps` {field id: step}, `ceiling`, the finest tier, whether health is masked, and whether
    dates stand in a stream of their own.

    plans: {the bytes between a batch's count and its columns: Plan} of every combination the policy allows.
    """

    __slots__ = ("ceiling", "health_mask", "plans", "split_dates", "steps")

    def __init__(self, policy: Policy) -> None:
        self.steps = dict(policy.fields)
        self.ceiling = policy.location_ceiling
        self.health_mask = policy.health_mask
        self.split_dates = policy.split_dates
        allowed = sorted(field for field in self.steps if FIELDS[field].stream == wire.READINGS)
        self.plans: dict[bytes, Plan] = {}
        for n in range(1, len(allowed) + 1):
            for fields in combinations(allowed, n):
                # The entry of K_FIELDS, then the key of the entry that follows it.
                entry = cbor2.dumps(wire.K_FIELDS) + cbor2.dumps(fields) + cbor2.dumps(wire.K_COLUMNS)
                self.plans[entry] = self.plan(fields)

    def plan(self, fields: tuple[int, ...]) -> Plan:
        """The plan of known `fields`, on the list or not."""
        steps = tuple(self.steps.get(field, 1) for field in fields)
        return Plan(fields, tuple(_SPECS[field] for field in fields), steps, max(steps) > 1)


class ConsentTerms(NamedTuple):
    """What a consent covers: up to `tier`, from `starts_s` until before `expires_s` (Unix s). serial: None for who
    may not know it; receipted: the node's receipt of it is on record."""

    serial: int | None
    tier: int
    starts_s: int
    expires_s: int
    receipted: bool = False


class NodeRules:
    """What the messages of one pseudonym are held to: tenant, policies by version, consents by reference. name: the
    node's, None for who may not know it."""

    __slots__ = ("consents", "name", "policies", "tenant")

    def __init__(
        self,
        name: str | None,
        tenant: str,
        policies: Mapping[int, Limits],
        consents: Mapping[bytes, ConsentTerms] | None = None,
    ) -> None:
        self.name = name
        self.tenant = tenant
        self.policies = policies
        self.consents = consents or {}

    def under(self, consents: Mapping[bytes, ConsentTerms]) -> "NodeRules":
        """The same with these consents."""
        return NodeRules(self.name, self.tenant, self.policies, consents)


def compiled(policies: Iterable[Policy]) -> dict[int, Limits]:
    """{version: Limits}."""
    return {policy.version: Limits(policy) for policy in policies}
