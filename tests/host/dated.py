"""The node of tests.host.messages with policies that split dates off, and tables of it, for tests of just that."""

from __future__ import annotations

from host_tools.keytable import ProcessorTable, make_table
from host_tools.registry import Node, Policy
from plumveil import wire
from tests.host.messages import DAY_S, NODE, WIDE, sender

SPLIT, SPLIT_MASKED, DATED = 5, 6, 2
POLICIES = (
    *NODE.policies,
    Policy(version=SPLIT, fields=WIDE, location_ceiling=3, split_dates=True),
    Policy(version=SPLIT_MASKED, fields=WIDE, location_ceiling=0, split_dates=True, health_mask=True),
)
OWN = NODE.model_copy(update={"policies": POLICIES})
DAY = DAY_S // wire.EPOCH_S
OTHERS = range(wire.DATES)
NAMES = [sender(stream).kid for stream in OTHERS]


def table(*streams: int, node: Node = OWN, days: tuple[int, int] = (DAY, DAY)) -> ProcessorTable:
    """As a processor gets it: through a file."""
    made = make_table([node], set(streams), *days)
    return ProcessorTable.model_validate_json(made.model_dump_json())
