# The allow-list, the resolutions and the cell that is reported once.
import unittest

import nodefiles
import scratch

from plumveil import wire
from plumveil.drops import Drops
from plumveil.held import HeldCell
from plumveil.minimise import Minimiser
from plumveil.policy import Policy
from plumveil.trust import Fix, Reading

NOW_S = nodefiles.NOON_S


class Minimise(unittest.TestCase):
    def setUp(self):
        self.drops = Drops()
        self.minimiser = Minimiser(Policy(nodefiles.policy_map()), self.drops, None)

    def fields(self, values, stream=wire.READINGS):
        return self.minimiser.fields(stream, Reading(NOW_S, values)).values

    def test_rounds_to_the_wire_unit_and_the_policys_step(self):
        self.assertEqual(
            self.fields({wire.F_TEMPERATURE: 4849, wire.F_HUMIDITY: 45249}),
            {wire.F_TEMPERATURE: 48, wire.F_HUMIDITY: 90},
        )
        self.assertEqual(self.fields({wire.F_TEMPERATURE: -4851}), {wire.F_TEMPERATURE: -49})
        # 20 mV units in steps of five: 100 mV.
        self.assertEqual(self.fields({wire.F_BATTERY: 3749}), {wire.F_BATTERY: 185})
        self.assertEqual(self.fields({wire.F_BATTERY: 5999}), {wire.F_BATTERY: 300})

    def test_off_the_list_is_dropped_and_counted(self):
        self.assertEqual(self.fields({wire.F_PROBE_TEMPERATURE: 5000, 77: 1}), {})
        self.assertEqual(self.fields({wire.F_UPTIME: 7200}), {})
        self.assertEqual(self.fields({wire.F_UPTIME: 7200}, wire.DEVICE), {wire.F_UPTIME: 2})
        self.assertEqual(self.drops.totals, {wire.R_NOT_ON_LIST: 3})

    def test_out_of_range_is_dropped_not_clamped(self):
        self.assertEqual(
            self.fields({wire.F_TEMPERATURE: 125051, wire.F_HUMIDITY: -251, wire.F_SHOCK_PEAK: 16051}), {}
        )
        self.assertEqual(self.drops.totals, {wire.R_OUT_OF_RANGE: 3})

    def test_a_parked_node_reports_once_a_consent(self):
        held = HeldCell(scratch.folder() + "/cell.bin")
        first, cell = self.minimiser.position(Fix(NOW_S + 17, 49026566, 12065272), 3, 7, held)
        self.assertEqual(first.t_s % wire.POSITION_TIME_S, 0)
        self.assertEqual(sorted(first.values), [wire.K_CELL, wire.K_CONSENT])
        held.hold(cell, 7, 0)
        again, _ = self.minimiser.position(Fix(NOW_S + 300, 49026600, 12065300), 3, 7, held)
        self.assertIs(again, None)
        self.assertEqual(self.drops.totals, {wire.R_SAME_CELL: 1})
        self.assertEqual(self.drops.report(), [0] * len(wire.RULES_SENT))
        renewed, same = self.minimiser.position(Fix(NOW_S + 600, 49026600, 12065300), 3, 8, held)
        self.assertEqual((renewed.values[wire.K_CONSENT], same), (8, cell))


if __name__ == "__main__":
    unittest.main()
