"""What the messages of one run show of consents, so that no position passes without (P11): the node's receipts of
them, and its statements, one an epoch, by the reference that the epoch's positions carry.

Only sound messages count, and only those that came before the position. Bounded: what came first is forgotten first,
and counted; a position that leaned on it is then refused, never let through.
"""

from host_tools.content import Event, Position
from host_tools.keyring import StreamKeys
from plumveil import terms, wire

EVIDENCE_MAX = 300_000  # receipts and statements remembered

# Whose, and the consent's serial (of a receipt) or its reference in the epoch (of a statement). The node is named
# where it is known: it cannot vouch for another's. Who does not know it goes by the reference alone.
_Of = tuple[str | None, int | bytes]


class Evidence:
    """Receipts and statements seen so far. `forgotten` counts those that were let go."""

    def __init__(self, evidence_max: int = EVIDENCE_MAX) -> None:
        self.forgotten = 0
        self._evidence_max = evidence_max
        self._tiers: dict[_Of, int] = {}

    def note(self, event: Event, keys: StreamKeys) -> None:
        """Takes in an event of a sound message."""
        name = keys.rules.name
        if event.event == wire.E_CONSENT and event.consent is not None:
            self._keep((name, event.consent), event.argument)
        elif event.entry is not None and event.entry.kind == terms.LOG_GRANTED and event.serial is not None:
            self._keep((name, event.serial), event.entry.details[terms.G_TIER])

    def covers(self, position: Position, keys: StreamKeys) -> bool:
        """Whether there is a receipt of the consent that a position names, on record or seen before, or a statement
        of it that is as fine at least."""
        consent = keys.rules.consents.get(position.consent)
        if consent is not None and consent.receipted:
            return True
        seen: list[_Of] = [(keys.rules.name, position.consent)]
        if position.serial is not None:
            seen.append((keys.rules.name, position.serial))
        return any(self._tiers.get(of, wire.TIER_OFF) >= position.tier for of in seen)

    def _keep(self, of: _Of, tier: int) -> None:
        self._tiers[of] = max(tier, self._tiers.get(of, wire.TIER_OFF))
        if len(self._tiers) > self._evidence_max:
            del self._tiers[next(iter(self._tiers))]
            self.forgotten += 1
