# COSE_Encrypt0: fixed messages every interpreter must make to the byte, and what the seal refuses.

import json
import unittest
from binascii import hexlify, unhexlify

from testdata import vectors

from plumveil import cbor, cose, wire
from plumveil.crypto import AesCcm
from plumveil.errors import Malformed, SealRefused


def text(data):
    return str(hexlify(data), "ascii")


class Encrypt0(unittest.TestCase):
    def setUp(self):
        with open(vectors("cose.json")) as file:
            self.vectors = json.load(file)
        self.ccm = AesCcm(unhexlify(self.vectors["key"]))
        self.common_iv = unhexlify(self.vectors["common_iv"])
        self.kid = unhexlify(self.vectors["kid"])

    def seal(self, case):
        policy_version, boot_salt = self.vectors["policy_version"], unhexlify(self.vectors["boot_salt"])
        header = [wire.WIRE_VERSION, case["step"], policy_version, boot_salt]
        aad, plain = unhexlify(case["external_aad"]), unhexlify(case["plaintext"])
        return cose.encrypt0(self.ccm, self.common_iv, case["partial_iv"], self.kid, header, aad, plain)

    def test_fixed_messages(self):
        for case in self.vectors["cases"]:
            self.assertEqual(text(self.seal(case)), case["message"])
        self.assertEqual(len(self.vectors["cases"]), 4)

    def test_parts(self):
        lengths = []
        for case in self.vectors["cases"]:
            message = cbor.loads(self.seal(case))
            self.assertEqual(message.tag, 16)
            protected, unprotected, sealed = message.value
            self.assertEqual(unprotected, {})
            headers = cbor.loads(protected)
            self.assertEqual(sorted(headers), [-65537, 1, 4, 6])
            self.assertEqual((headers[1], headers[4]), (31, self.kid))
            self.assertEqual(int.from_bytes(headers[6], "big"), case["partial_iv"])
            lengths.append(len(headers[6]))
            aad = cose.enc_structure(protected, unhexlify(case["external_aad"]))
            plain = self.ccm.decrypt(unhexlify(case["nonce"]), aad, sealed)
            self.assertEqual(text(plain), case["plaintext"])
            # What the tag covers: another context or header opens nothing.
            for other in (cose.enc_structure(protected, b""), cose.enc_structure(protected[:-1], b""), b""):
                with self.assertRaises(Malformed):
                    self.ccm.decrypt(unhexlify(case["nonce"]), other, sealed)
        self.assertEqual(lengths, [1, 1, 2, 5])

    def test_every_cut_is_malformed(self):
        message = self.seal(self.vectors["cases"][1])
        for cut in range(len(message)):
            with self.assertRaises(Malformed):
                cbor.loads(message[:cut])

    def test_structure_of_the_working_group(self):
        given = self.vectors["enc_structure"]
        key, nonce, protected, external, plain = [
            unhexlify(given[part]) for part in ("key", "nonce", "protected", "external_aad", "text")
        ]
        aad = cose.enc_structure(protected, external)
        self.assertEqual(text(aad), given["structure"])
        self.assertEqual(text(AesCcm(key).encrypt(nonce, aad, plain)), given["sealed"])

    def test_nonces_differ_and_stay_13_bytes(self):
        nonces = []

        class Recorder:
            key_bytes = wire.KEY_BYTES

            def encrypt(self, nonce, aad, plaintext, tag_bytes):
                nonces.append(nonce)
                return b""

        partial_ivs = [0, 1, 255, 256, 65535, 65536, 1 << 30, 1 << 31, 1 << 32, (1 << 40) - 1]
        for partial_iv in partial_ivs:
            cose.encrypt0(Recorder(), self.common_iv, partial_iv, b"", [], b"", b"")
        common = int.from_bytes(self.common_iv, "big")
        self.assertEqual([int.from_bytes(nonce, "big") ^ common for nonce in nonces], partial_ivs)
        self.assertEqual(set([len(nonce) for nonce in nonces]), {13})
        cose.encrypt0(Recorder(), bytes(13), 0, b"", [], b"", b"")
        self.assertEqual(nonces[-1], bytes(13))

    def test_refuses_what_another_algorithm_would_need(self):
        good = [self.ccm, self.common_iv, 0, self.kid, [], b"", b""]
        cose.encrypt0(*good)
        for at, value in ((0, AesCcm(bytes(16))), (1, bytes(12)), (1, bytes(14)), (2, -1), (2, 1 << 40)):
            wrong = good[:]
            wrong[at] = value
            with self.assertRaises(SealRefused):
                cose.encrypt0(*wrong)


if __name__ == "__main__":
    unittest.main()
