# Consent given, taken back and put on record: off at once and for good, on by a grant alone, each change in the
# chain. What a power cut leaves is tests/firmware/test_withdrawal.py's matter.

import nodefiles
from desks import NOW_S, Files
from test_grant import sealed

from plumveil import cbor, flash, terms, wire
from plumveil.errors import GrantRefused, SealRefused


class Given(Files):
    def test_a_grant_puts_location_in_force_and_a_boot_keeps_it(self):
        node = self.node
        self.assertEqual(node.grant(), 3)
        self.assertEqual(node.desk.tier(), 3)
        node.boot()
        self.assertEqual((node.desk.tier(), node.consent.secret), (3, nodefiles.CONSENT_SECRET))
        node.now_s += 86400
        self.assertEqual(node.desk.tier(), wire.TIER_OFF)

    def test_what_is_refused_changes_nothing_and_is_counted_and_told(self):
        node = self.node
        node.grant()
        body = node.state.body()
        for _ in range(2):
            with self.assertRaises(GrantRefused) as raised:
                node.grant()
            self.assertEqual(raised.exception.reason, terms.N_REPLAYED)
        self.assertEqual(node.desk.tier(), 3)
        self.assertEqual(cbor.loads(body)[wire.S_GRANT], node.state.grant)
        self.assertEqual(node.drops.totals, {wire.R_REFUSED: 2})
        node.desk.tick(NOW_S)
        self.assertEqual([entry[0] for entry in node.entries()], [1, 7, 7, 6])
        self.assertEqual(node.entries()[1][2], [terms.N_REPLAYED])

    def test_refusals_beyond_some_are_counted_alone(self):
        node = self.node
        for _ in range(20):
            with self.assertRaises(GrantRefused):
                node.desk.apply(b"rubbish")
        self.assertEqual(node.state.log_count, terms.REFUSED_MAX)
        self.assertEqual(node.drops.totals, {wire.R_REFUSED: 20})

    def test_a_grant_that_flash_does_not_hold_leaves_location_off(self):
        node = self.node

        def refuse(body):
            raise SealRefused("key slot not written")

        commit, node.chain._vault.commit = node.chain._vault.commit, refuse
        with self.assertRaises(SealRefused):
            node.grant()
        self.off()
        node.chain._vault.commit = commit
        node.boot()
        self.off()

    def test_a_grant_whose_slot_is_written_and_no_more_is_off_after_a_boot_too(self):
        node = self.node
        vault = node.chain._vault

        def refuse():
            raise SealRefused("spent keys not erased")

        vault._erase_others = refuse
        with self.assertRaises(SealRefused):
            node.grant()
        node.boot()
        self.assertEqual((node.desk.tier(), node.state.grant), (wire.TIER_OFF, None))
        node.desk.tick(NOW_S)
        # What was never in force is no consent in the log either.
        self.assertEqual([entry[0] for entry in node.entries()][:2], [terms.LOG_GRANTED, terms.LOG_WITHDRAWN])

    def test_a_refusal_is_one_also_when_flash_takes_no_slot(self):
        node = self.node
        node.grant()

        def refuse(body):
            raise SealRefused("key slot not written")

        node.chain._vault.commit = refuse
        with self.assertRaises(GrantRefused):
            node.grant()
        self.assertEqual(node.desk.tier(), 3)

    def test_the_log_tells_all_but_the_secret(self):
        node = self.node
        parts = nodefiles.delegated_map()
        node.desk.apply(nodefiles.grant_bytes(parts))
        node.desk.tick(NOW_S)
        kind, t_s, details = node.entries()[0]
        self.assertEqual((kind, t_s), (terms.LOG_GRANTED, NOW_S))
        for key in (terms.G_SECRET, terms.G_NODE, terms.G_TENANT):
            del parts[key]
        self.assertEqual(details, parts)
        self.assertFalse(nodefiles.CONSENT_SECRET in flash.load(wire.FILE_LOG))
        # What the technician's tools read is what the receipts say.
        self.assertEqual(flash.load(wire.FILE_LOG), b"".join([entry for _, entry in node.line.receipts]))
        self.assertIs(flash.load(wire.FILE_ENTRY), None)

    def test_no_module_stays_in_ram_for_it(self):
        import sys

        self.node.grant()
        self.assertFalse("plumveil.grant" in sys.modules)


class TakenBack(Files):
    def test_off_at_once_with_all_that_hangs_on_it_and_no_reading_lost(self):
        node = self.node
        node.grant()
        node.queue()
        node.held.hold((3, 4, 5), node.consent.serial, 0)
        node.desk.withdraw(terms.BY_TOOL)
        for _ in range(2):
            self.off()
            self.assertIs(flash.load(wire.FILE_CELL), None)
            self.assertEqual(node.store.count(), 1)
            self.assertEqual(node.store.peek().stream, wire.READINGS)
            node.boot()
        node.desk.tick(NOW_S)
        self.assertEqual(node.entries()[1], (terms.LOG_WITHDRAWN, NOW_S, [node.state.serial, terms.BY_TOOL]))

    def test_twice_is_once_and_never_given_is_nothing(self):
        node = self.node
        node.desk.withdraw(terms.BY_TOOL)
        node.grant()
        node.desk.withdraw(terms.BY_BUTTON)
        node.desk.withdraw(terms.BY_BUTTON)
        self.assertEqual(node.state.log_count, 2)

    def test_the_same_grant_does_not_come_back_and_a_new_one_does(self):
        node = self.node
        node.grant()
        node.desk.withdraw(terms.BY_TOOL)
        with self.assertRaises(GrantRefused):
            node.grant()
        self.off()
        self.assertEqual(node.grant(G_SERIAL=node.state.serial + 1, G_TIER=2), 2)

    def test_what_a_consent_that_ended_left_behind_goes_too(self):
        node = self.node
        node.grant()
        node.queue()
        node.held.hold((3, 4, 5), node.consent.serial, 0)
        node.now_s += 2 * 86400
        node.desk.tick(node.now_s)
        # Taken while it was in force, these may still leave; where the node is may not be kept.
        self.assertEqual((node.store.count(), flash.load(wire.FILE_CELL)), (3, None))
        node.desk.withdraw(terms.BY_BUTTON)
        self.assertEqual((node.store.count(), node.store.peek().stream), (1, wire.READINGS))

    def test_said_again_it_is_made_durable(self):
        node = self.node
        node.grant()
        vault = node.chain._vault

        def refuse(*_):
            raise SealRefused("key slot not written")

        def broken():
            raise OSError(5)

        commit, mark = vault.commit, vault.mark
        vault.commit, vault.mark = refuse, broken
        with self.assertRaises(SealRefused):
            node.desk.withdraw(terms.BY_TOOL)
        vault.commit, vault.mark = commit, mark
        node.desk.withdraw(terms.BY_TOOL)
        node.boot()
        self.off()

    def test_off_even_when_flash_takes_no_slot(self):
        node = self.node
        node.grant()
        node.queue()

        def refuse(body):
            raise SealRefused("key slot not written")

        node.chain._vault.commit = refuse
        with self.assertRaises(SealRefused):
            node.desk.withdraw(terms.BY_TOOL)
        for _ in range(2):
            self.assertEqual(node.desk.tier(), wire.TIER_OFF)
            self.assertEqual(node.store.count(), 1)
            node.boot()
        self.off()

    def test_a_delegation_made_void(self):
        node = self.node
        node.desk.apply(nodefiles.grant_bytes(nodefiles.delegated_map()))
        node.desk.void(4)
        self.assertEqual(node.desk.tier(), 2)
        node.desk.void(3)
        self.off()
        node.desk.void(3)
        self.assertEqual((node.state.voids, node.state.log_count), ([3, 4], 4))
        with self.assertRaises(GrantRefused) as raised:
            node.desk.apply(nodefiles.grant_bytes(nodefiles.delegated_map(G_SERIAL=node.state.serial + 1)))
        self.assertEqual(raised.exception.reason, terms.N_VOIDED)
        # The controller's own are none of its.
        self.assertEqual(node.grant(G_SERIAL=node.state.serial + 1), 3)

    def test_more_voids_than_there_is_room_for(self):
        node = self.node
        for n in range(20, 20 + 2 * terms.VOIDS_MAX):
            node.desk.void(n)
        self.assertEqual(node.state.voids, list(range(20 + terms.VOIDS_MAX, 20 + 2 * terms.VOIDS_MAX)))
        with self.assertRaises(GrantRefused):
            node.desk.apply(nodefiles.grant_bytes(nodefiles.delegated_map()))


class FromAfar(Files):
    def command(self, *what):
        self.node.desk.command(sealed(*what, epoch=self.node.state.epoch))

    def test_a_consent_revoked(self):
        node = self.node
        node.grant()
        self.command(terms.DOWN_REVOKE, node.state.serial - 1)
        self.assertEqual(node.desk.tier(), 3)
        for _ in range(3):
            # The broker keeps it and says it at every session.
            self.command(terms.DOWN_REVOKE, node.state.serial)
            self.off()
        self.assertEqual(node.state.log_count, 2)
        node.desk.tick(NOW_S)
        self.assertEqual(node.entries()[1][2][1], terms.BY_CONTROLLER)

    def test_one_that_has_not_come_yet_is_revoked_too(self):
        node = self.node
        self.command(terms.DOWN_REVOKE, nodefiles.grant_map()[terms.G_SERIAL])
        node.boot()
        with self.assertRaises(GrantRefused):
            node.grant()

    def test_a_delegation_voided(self):
        node = self.node
        node.desk.apply(nodefiles.grant_bytes(nodefiles.delegated_map()))
        self.command(terms.DOWN_VOID, 3)
        self.off()

    def test_a_forged_command_is_counted(self):
        node = self.node
        node.grant()
        with self.assertRaises(GrantRefused):
            node.desk.command(sealed(terms.DOWN_REVOKE, 1 << 29, k_consent=bytes(32)))
        self.assertEqual((node.desk.tier(), node.drops.totals), (3, {wire.R_REFUSED: 1}))
