# A grant is believed when it is whole, this node's, tagged by who may, new, current and within the policy; a command
# when it is sealed for this epoch. Anything else is refused with the reason.
import unittest
from hashlib import sha256

import nodefiles

from plumveil import cbor, cose, grant, terms, wire
from plumveil.crypto import AesCcm, hkdf
from plumveil.errors import GrantRefused
from plumveil.keystate import KeyState
from plumveil.policy import Policy

NOW_S = nodefiles.NOON_S
WRONG = (None, True, -1, 0, "", "x" * 65, b"", b"x" * 33, [], {}, 1 << 40, [1, 2])


def state(**changed):
    parts = nodefiles.slot_map()
    for name in changed:
        parts[getattr(wire, name)] = changed[name]
    return KeyState(cbor.dumps(parts))


def policy(widened=1, ceiling=3):
    parts = nodefiles.policy_map()
    parts.update({wire.P_VERSION: 4, wire.P_WIDENED: widened, wire.P_LOCATION_CEILING: ceiling})
    return Policy(parts)


def sealed(kind, number, epoch=0, k_consent=nodefiles.K_CONSENT, tenant="acme", iv=bytes(13), plaintext=None):
    # A command, as the controller seals it.
    protected = cbor.dumps({1: 31, 5: iv})
    key = hkdf(k_consent, cbor.dumps(["down", epoch]))
    aad = cose.enc_structure(protected, cbor.dumps(["down", tenant]))
    text = AesCcm(key).encrypt(iv, aad, plaintext or cbor.dumps([kind, number]))
    return b"\xd0" + cbor.dumps([protected, {}, text])


class Reading(unittest.TestCase):
    def reason(self, data, now_s=NOW_S, rules=None, node=None):
        with self.assertRaises(GrantRefused) as raised:
            grant.read(data, node or state(), rules or policy(), now_s)
        return raised.exception.reason

    def refused(self, reason, parts, **how):
        self.assertEqual(self.reason(nodefiles.grant_bytes(parts), **how), reason)

    def test_a_good_one_is_read(self):
        parts = nodefiles.grant_map()
        self.assertEqual(grant.read(nodefiles.grant_bytes(parts), state(), policy(), NOW_S), parts)
        parts = nodefiles.delegated_map()
        self.assertEqual(grant.read(nodefiles.grant_bytes(parts), state(), policy(), NOW_S), parts)

    def test_cut_off_anywhere_and_every_flipped_bit(self):
        for parts in (nodefiles.grant_map(), nodefiles.delegated_map()):
            data = nodefiles.grant_bytes(parts)
            for n in range(len(data)):
                self.assertEqual(self.reason(data[:n]), terms.N_MALFORMED)
            self.assertEqual(self.reason(data + b"\x00"), terms.N_MALFORMED)
            for bit in range(0, len(data) * 8, 3):
                flipped = bytearray(data)
                flipped[bit // 8] ^= 1 << bit % 8
                self.reason(bytes(flipped))

    def test_parts_missing_of_a_wrong_kind_or_unknown(self):
        for made in (nodefiles.grant_map, nodefiles.delegated_map):
            for key in made():
                parts = made()
                del parts[key]
                if key != terms.G_DELEGATION:
                    self.refused(terms.N_MALFORMED, parts)
                for value in WRONG:
                    if (value == 0 and key == terms.G_POLICY) or (key == terms.G_SEALED and value == b"x" * 33):
                        continue
                    parts = made()
                    parts[key] = value
                    self.reason(nodefiles.grant_bytes(parts))
            parts = made()
            parts[16] = 1
            self.refused(terms.N_MALFORMED, parts)
        for name in ("G_REASON", "G_SEALED"):
            self.refused(terms.N_MALFORMED, nodefiles.grant_map(**{name: b"x" if name == "G_SEALED" else "x"}))

    def test_no_other_shape_of_a_message(self):
        good = nodefiles.grant_bytes(nodefiles.grant_map())
        inner = cbor.loads(good[1:])
        for place, value in ((0, cbor.dumps({1: 4})), (1, {1: 5}), (2, [1]), (3, b"short")):
            parts = list(inner)
            parts[place] = value
            self.assertEqual(self.reason(b"\xd1" + cbor.dumps(parts)), terms.N_MALFORMED)
        self.assertEqual(self.reason(good[1:]), terms.N_MALFORMED)
        self.assertEqual(self.reason(b"\xd1" + good), terms.N_MALFORMED)
        self.assertEqual(self.reason(b"\xd1" + bytes(800)), terms.N_MALFORMED)

    def test_of_another_tenant_node_or_key(self):
        self.refused(terms.N_TENANT, nodefiles.grant_map(G_TENANT="other"))
        self.refused(terms.N_NODE, nodefiles.grant_map(G_NODE=b"12345678"))
        for made in (nodefiles.grant_map, nodefiles.delegated_map):
            self.assertEqual(self.reason(nodefiles.grant_bytes(made(), bytes(32))), terms.N_FORGED)

    def test_a_delegates_key_makes_no_grant_of_the_controllers(self):
        # The tag of a delegated grant, and the caveats left out of it.
        data = nodefiles.grant_bytes(nodefiles.delegated_map())
        inner = cbor.loads(data[1:])
        inner[2] = cbor.dumps(nodefiles.grant_map())
        self.assertEqual(self.reason(b"\xd1" + cbor.dumps(inner)), terms.N_FORGED)

    def test_not_newer_than_what_was_decided(self):
        serial = nodefiles.grant_map()[terms.G_SERIAL]
        self.refused(terms.N_REPLAYED, nodefiles.grant_map(), node=state(S_SERIAL=serial))
        self.refused(terms.N_REPLAYED, nodefiles.grant_map(), node=state(S_SERIAL=serial + 1))

    def test_out_of_its_time(self):
        parts = nodefiles.grant_map()
        self.refused(terms.N_CLOCK, parts, now_s=None)
        self.refused(terms.N_NOT_YET, parts, now_s=NOW_S - 86401)
        self.refused(terms.N_EXPIRED, parts, now_s=NOW_S + 86400)
        self.refused(terms.N_NOT_YET, nodefiles.grant_map(G_ISSUED_S=NOW_S + 86400))
        self.refused(terms.N_NOT_YET, nodefiles.grant_map(G_SERIAL=NOW_S + 86400 - wire.UNIX_MIN_S))

    def test_beyond_the_policy(self):
        self.refused(terms.N_CEILING, nodefiles.grant_map(G_TIER=4))
        self.refused(terms.N_CEILING, nodefiles.grant_map(), rules=policy(ceiling=0))
        self.refused(terms.N_POLICY, nodefiles.grant_map(), rules=policy(widened=2))

    def test_beyond_the_caveats(self):
        for changed in (
            {"G_TIER": 3},
            {"G_EXPIRES_S": NOW_S + 43201},
            {"G_PURPOSE": "other"},
            {"G_NOTICE": "other"},
            {"G_POLICY": 2},
            {"given": nodefiles.caveats(D_STARTS_S=NOW_S + 1)},
            {"given": nodefiles.caveats(D_UNTIL_S=NOW_S)},
        ):
            self.refused(terms.N_DELEGATION, nodefiles.delegated_map(**changed))

    def test_a_voided_delegation(self):
        self.refused(terms.N_VOIDED, nodefiles.delegated_map(), node=state(S_VOIDS=[3]))
        grant.read(nodefiles.grant_bytes(nodefiles.delegated_map()), state(S_VOIDS=[4]), policy(), NOW_S)
        # Once there is no room for more, what is older than the oldest kept is void as well.
        voids = list(range(4, 4 + terms.VOIDS_MAX))
        self.refused(terms.N_VOIDED, nodefiles.delegated_map(), node=state(S_VOIDS=voids))

    def test_rubbish(self):
        noise = b"\xd1"
        for n in range(300):
            noise = noise[:1] + sha256(noise).digest() * (n % 9)
            self.reason(noise)


class Commands(unittest.TestCase):
    def reason(self, data):
        with self.assertRaises(GrantRefused) as raised:
            grant.command(data, state())
        return raised.exception.reason

    def test_a_good_one_is_read(self):
        self.assertEqual(grant.command(sealed(terms.DOWN_REVOKE, 7), state()), (terms.DOWN_REVOKE, 7))

    def test_anything_else_is_refused(self):
        good = sealed(terms.DOWN_VOID, 7)
        for data in (
            sealed(terms.DOWN_VOID, 7, epoch=1),
            sealed(terms.DOWN_VOID, 7, tenant="other"),
            sealed(terms.DOWN_VOID, 7, k_consent=bytes(32)),
            sealed(3, 7),
            sealed(terms.DOWN_VOID, 0),
            sealed(0, 0, plaintext=b"\xa0"),
            sealed(0, 0, plaintext=bytes(100)),
            b"",
            b"\xd1" + good[1:],
        ):
            self.assertEqual(self.reason(data), terms.N_MALFORMED)
        for n in range(len(good)):
            self.assertEqual(self.reason(good[:n]), terms.N_MALFORMED)
            flipped = bytearray(good)
            flipped[n] ^= 1
            self.assertEqual(self.reason(bytes(flipped)), terms.N_MALFORMED)


if __name__ == "__main__":
    unittest.main()
