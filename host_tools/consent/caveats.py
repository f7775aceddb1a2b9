"""A delegation: what a named person may grant in the controller's stead. As the caveats that its key is tied to, as a
technician holds it, and as the controller keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from plumveil import terms, wire

# In the order of terms.D_*.
_PLACES = (
    terms.D_ID,
    terms.D_PERSON,
    terms.D_SCOPE,
    terms.D_TIER,
    terms.D_STARTS_S,
    terms.D_UNTIL_S,
    terms.D_PURPOSE,
    terms.D_NOTICE,
    terms.D_POLICY,
)


@dataclass(frozen=True, slots=True)
class Caveats:
    """The array G_DELEGATION, places D_*: id from 1, person, scope in words, finest tier, Unix s from and until, and
    purpose, notice and policy version that its grants have to have."""

    id: int
    person: str
    scope: str
    tier: int
    starts_s: int
    until_s: int
    purpose: str
    notice: str
    policy: int

    def array(self) -> list[int | str]:
        """As it stands in grants and goes into the key."""
        return list(astuple(self))

    @classmethod
    def of(cls, array: Any) -> Caveats:
        """The caveats of an array. ValueError or TypeError when it is none."""
        if not isinstance(array, list | tuple) or len(array) != len(_PLACES):
            raise TypeError("caveats are an array")
        found = cls(*array)
        numbers = (found.id, found.tier, found.starts_s, found.until_s, found.policy)
        texts = (found.person, found.scope, found.purpose, found.notice)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise TypeError("a number of another type")
        if not all(isinstance(text, str) and 0 < len(text) <= terms.TEXT_MAX for text in texts):
            raise TypeError("a text of another type")
        if not (found.id and 1 <= found.tier < len(wire.TIERS) and found.starts_s < found.until_s):
            raise ValueError("caveats that allow nothing")
        return found


@dataclass(frozen=True, slots=True)
class Delegated:
    """A delegation as a technician holds it for one node: its key, what grants call the node (derive.grant_node), and
    the caveats it is tied to."""

    key: bytes = field(repr=False)
    node: bytes = field(repr=False)
    caveats: Caveats


@dataclass(frozen=True, slots=True)
class Delegation:
    """A delegation as the controller keeps it. nodes: (number in the keystore, policy version) of each node it is
    for; made_s, voided_s: Unix s, None while it is not void."""

    id: int
    person: str
    scope: str
    tier: int
    starts_s: int
    until_s: int
    purpose: str
    notice: str
    nodes: tuple[tuple[int, int], ...]
    made_s: int
    voided_s: int | None = None

    def caveats(self, policy: int) -> Caveats:
        """What a node's key is tied to, `policy` being its policy version when it was given."""
        return Caveats(
            self.id,
            self.person,
            self.scope,
            self.tier,
            self.starts_s,
            self.until_s,
            self.purpose,
            self.notice,
            policy,
        )

    @classmethod
    def of(cls, row: Sequence[Any]) -> Delegation:
        """The delegation of a keystore's array. ValueError or TypeError when it is none."""
        id_, person, scope, tier, starts_s, until_s, purpose, notice, nodes, made_s, voided_s = row
        own = tuple((number, policy) for number, policy in nodes)
        found = cls(id_, person, scope, tier, starts_s, until_s, purpose, notice, own, made_s, voided_s)
        for number, policy in found.nodes:
            if type(number) is not int:
                raise TypeError("a number of another type")
            Caveats.of(found.caveats(policy).array())
        if type(made_s) is not int or not isinstance(voided_s, int | None):
            raise TypeError("a time of another type")
        return found
