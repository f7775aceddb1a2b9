# HMAC, HKDF and AES-CCM, and the cryptolib below them, against published cases; everything wrong must be refused.

import json
import unittest
from binascii import hexlify, unhexlify
from hashlib import sha256

import cryptolib
from testdata import shared, vectors

from plumveil.crypto import AesCcm, equal, hkdf, hkdf_expand, hkdf_extract, hmac_sha256
from plumveil.errors import Malformed

try:
    import _aes
except ImportError:
    _aes = None


def text(data):
    return str(hexlify(data), "ascii")


def load(path):
    with open(path) as file:
        return json.load(file)


def cases(name):
    return load(vectors("crypto.json"))[name]["cases"]


class Hashes(unittest.TestCase):
    def test_rfc_4231(self):
        for case in cases("rfc4231"):
            mac = text(hmac_sha256(unhexlify(case["key"]), unhexlify(case["msg"])))
            self.assertEqual(mac[: len(case["tag"])], case["tag"])
        self.assertEqual(len(cases("rfc4231")), 7)

    def test_rfc_5869(self):
        for case in cases("rfc5869"):
            ikm, salt, info = [unhexlify(case[part]) for part in ("ikm", "salt", "info")]
            prk = hkdf_extract(salt, ikm)
            self.assertEqual(text(prk), case["prk"])
            self.assertEqual(text(hkdf_expand(prk, info, case["length"])), case["okm"])
            self.assertEqual(text(hkdf(ikm, info, salt, case["length"])), case["okm"])
        self.assertEqual(len(cases("rfc5869")), 3)

    def test_hmac_at_every_key_length_by_its_definition(self):
        # RFC 2104 section 2, byte by byte: keys end before, at and behind either half of a block, and the block.
        for n in (0, 1, 16, 31, 32, 33, 48, 63, 64, 65, 100):
            key = bytes([(7 * i + n) & 0xFF for i in range(n)])
            block = sha256(key).digest() if n > 64 else key
            block += bytes(64 - len(block))
            inner = sha256(bytes([b ^ 0x36 for b in block]) + b"message").digest()
            mac = sha256(bytes([b ^ 0x5C for b in block]) + inner).digest()
            self.assertEqual(text(hmac_sha256(key, b"message")), text(mac))

    def test_hkdf_without_salt(self):
        # RFC 5869 section 2.2: as many zeros as the hash is long.
        self.assertEqual(hkdf_extract(b"", b"key"), hmac_sha256(bytes(32), b"key"))

    def test_hkdf_unless_told_otherwise(self):
        self.assertEqual(hkdf(b"key", b"info"), hkdf(b"key", b"info", bytes(32), 45)[:32])
        self.assertEqual(hkdf(b"key", b"info", n=0), b"")

    def test_wycheproof_hmac(self):
        path = shared("crypto/hmac_sha256_test.json")
        if not path:
            self.skipTest("no shared data")
        found = {"valid": 0, "invalid": 0}
        for group in load(path)["testGroups"]:
            for case in group["tests"]:
                mac = hmac_sha256(unhexlify(case["key"]), unhexlify(case["msg"]))[: group["tagSize"] // 8]
                self.assertEqual(equal(mac, unhexlify(case["tag"])), case["result"] == "valid", case["tcId"])
                found[case["result"]] += 1
        self.assertEqual(found, {"valid": 66, "invalid": 108})

    def test_wycheproof_hkdf(self):
        path = shared("crypto/hkdf_sha256_test.json")
        if not path:
            self.skipTest("no shared data")
        found = {"valid": 0, "invalid": 0}
        for group in load(path)["testGroups"]:
            for case in group["tests"]:
                ikm, salt, info = [unhexlify(case[part]) for part in ("ikm", "salt", "info")]
                found[case["result"]] += 1
                if case["result"] == "valid":
                    self.assertEqual(text(hkdf(ikm, info, salt, case["size"])), case["okm"])
                else:
                    with self.assertRaises(ValueError):
                        hkdf(ikm, info, salt, case["size"])
        self.assertEqual(found, {"valid": 83, "invalid": 3})

    def test_equal(self):
        self.assertTrue(equal(b"", b""))
        self.assertTrue(equal(b"abc", bytearray(b"abc")))
        for other in (b"", b"ab", b"abcd", b"abd", b"bbc", b"a\xe2c"):
            self.assertFalse(equal(b"abc", other))
            self.assertFalse(equal(other, b"abc"))


class Ccm(unittest.TestCase):
    key = bytes(range(32))
    nonce = bytes(range(100, 113))

    def test_rfc_3610(self):
        for case in cases("rfc3610"):
            key, nonce, aad, plain = [unhexlify(case[part]) for part in ("key", "nonce", "aad", "text")]
            sealed = AesCcm(key).encrypt(nonce, aad, plain, case["tag_bytes"])
            self.assertEqual(text(sealed), case["sealed"])
            self.assertEqual(AesCcm(key).decrypt(nonce, aad, sealed, case["tag_bytes"]), plain)

    def mbedtls(self, case):
        # Runs one case -> what became of it.
        key, nonce, aad, sealed = [unhexlify(case[part]) for part in ("key", "iv", "aad", "ct_tag")]
        if len(key) == 24:
            with self.assertRaises(ValueError):
                AesCcm(key)
            return "no such key length"
        ccm = AesCcm(key)
        if case.get("result", "0") != "0":
            with self.assertRaises(Malformed):
                ccm.decrypt(nonce, aad, sealed, case["taglen"])
            return "refused"
        plain = unhexlify(case["msg" if case["op"] == "enc" else "pt"])
        self.assertEqual(text(ccm.encrypt(nonce, aad, plain, case["taglen"])), text(sealed))
        self.assertEqual(text(ccm.decrypt(nonce, aad, sealed, case["taglen"])), text(plain))
        return "as expected"

    def test_mbedtls(self):
        path = shared("crypto/mbedtls_ccm_aes.json")
        if not path:
            self.skipTest("no shared data")
        found = {"as expected": 0, "refused": 0, "no such key length": 0}
        for case in load(path):
            found[self.mbedtls(case)] += 1
        self.assertEqual(found, {"as expected": 201, "refused": 32, "no such key length": 104})

    def test_every_cut_and_every_flipped_bit(self):
        ccm = AesCcm(self.key)
        sealed = ccm.encrypt(self.nonce, b"aad", b"seventeen bytes!!")
        self.assertEqual(ccm.decrypt(self.nonce, b"aad", sealed), b"seventeen bytes!!")
        wrong = [sealed[:cut] for cut in range(len(sealed))] + [sealed + b"\x00"]
        for bit in range(8 * len(sealed)):
            bad = bytearray(sealed)
            bad[bit >> 3] ^= 1 << (bit & 7)
            wrong.append(bytes(bad))
        for bad in wrong:
            with self.assertRaises(Malformed):
                ccm.decrypt(self.nonce, b"aad", bad)
        for nonce, aad in ((bytes(13), b"aad"), (self.nonce, b"aae"), (self.nonce, b"")):
            with self.assertRaises(Malformed):
                ccm.decrypt(nonce, aad, sealed)

    def test_every_length_around_a_block(self):
        ccm = AesCcm(self.key)
        for n in (0, 1, 15, 16, 17, 31, 32, 33, 112, 1000, 4079, 4080):
            plain = bytes([i & 0xFF for i in range(n)])
            sealed = ccm.encrypt(self.nonce, plain[:30], plain)
            self.assertEqual(len(sealed), n + 16)
            self.assertEqual(ccm.decrypt(self.nonce, plain[:30], sealed), plain)

    def test_lengths_of_two_bytes(self):
        # SHA-256 of what OpenSSL makes of these (AESCCM of Python's cryptography), cut to 16 bytes.
        made = (
            (255, "b1c873b872d2e0089a401d2f7df07685"),
            (256, "343089b870bff5e1acabb8e8c88b0d5a"),
            (2064, "ef4025b97120f47b45e3d880271151d1"),
            (4080, "24bc9d1139ebeb685ae406e400c052e5"),
        )
        for n, digest in made:
            plain = bytes([i & 0xFF for i in range(n)])
            sealed = AesCcm(self.key).encrypt(self.nonce, plain[: n // 8], plain)
            self.assertEqual(text(sha256(sealed).digest())[:32], digest)

    def test_other_buffers(self):
        ccm = AesCcm(self.key)
        for n in (0, 5, 16, 32):
            plain, aad = bytes(range(n)), bytes(range(n, n + 9))
            sealed = ccm.encrypt(self.nonce, aad, plain)
            for kind in (bytearray, memoryview):
                self.assertEqual(ccm.encrypt(self.nonce, kind(aad), kind(plain)), sealed)
                self.assertIs(type(ccm.encrypt(self.nonce, kind(aad), kind(plain))), bytes)

    def test_lengths_it_refuses(self):
        ccm = AesCcm(self.key)
        for nonce in (b"", bytes(6), bytes(14), bytes(16)):
            for work in (ccm.encrypt, ccm.decrypt):
                with self.assertRaises(ValueError):
                    work(nonce, b"", bytes(20))
        for tag_bytes in (0, 2, 3, 5, 15, 17, 18):
            for work in (ccm.encrypt, ccm.decrypt):
                with self.assertRaises(ValueError):
                    work(self.nonce, b"", bytes(20), tag_bytes)
        with self.assertRaises(ValueError):
            ccm.encrypt(self.nonce, b"", bytes(4081))
        with self.assertRaises(ValueError):
            ccm.decrypt(self.nonce, b"", bytes(4081 + 16))
        with self.assertRaises(ValueError):
            ccm.encrypt(self.nonce, bytes(65280), b"")
        for n in (0, 15, 24, 31, 33):
            with self.assertRaises(ValueError):
                AesCcm(bytes(n))


class Cryptolib(unittest.TestCase):
    # What the firmware builds on; on a board the real one, elsewhere the stand-in.

    def test_fips_197(self):
        for case in cases("fips197"):
            key, plain, sealed = [unhexlify(case[part]) for part in ("key", "text", "sealed")]
            self.assertEqual(cryptolib.aes(key, 1).encrypt(plain), sealed)
            self.assertEqual(cryptolib.aes(key, 1).decrypt(sealed), plain)
            self.assertEqual(cryptolib.aes(key, 1).encrypt(plain * 3), sealed * 3)

    def test_cbc(self):
        for case in cases("sp800_38a_cbc"):
            key, iv, plain, sealed = [unhexlify(case[part]) for part in ("key", "iv", "text", "sealed")]
            self.assertEqual(cryptolib.aes(key, 2, iv).encrypt(plain), sealed)
            self.assertEqual(cryptolib.aes(key, 2, iv).decrypt(sealed), plain)
            # A second call goes on with the chain.
            there, back = cryptolib.aes(key, 2, iv), cryptolib.aes(key, 2, iv)
            self.assertEqual(there.encrypt(plain[:16]) + there.encrypt(plain[16:]), sealed)
            self.assertEqual(back.decrypt(sealed[:32]) + back.decrypt(sealed[32:]), plain)

    def test_in_place(self):
        for case in cases("sp800_38a_cbc"):
            key, iv, plain, sealed = [unhexlify(case[part]) for part in ("key", "iv", "text", "sealed")]
            buffer = bytearray(plain)
            self.assertIs(cryptolib.aes(key, 2, iv).encrypt(buffer, buffer), buffer)
            self.assertEqual(buffer, sealed)
            back = cryptolib.aes(key, 2, iv)
            for at in (0, 32):
                half = memoryview(buffer)[at : at + 32]
                back.decrypt(half, half)
            self.assertEqual(buffer, plain)
            longer = bytearray(80)
            cryptolib.aes(key, 2, iv).encrypt(plain, longer)
            self.assertEqual(longer, sealed + bytes(16))

    def test_refusals(self):
        key = bytes(16)
        wrong = (
            (bytes(24), 1),
            (b"", 1),
            (key, 0),
            (key, 3),
            (key, 6),
            (key, 2),
            (key, 2, bytes(15)),
            (key, 2, None),
        )
        for arguments in wrong:
            with self.assertRaises(ValueError):
                cryptolib.aes(*arguments)
        for n in (1, 15, 17):
            with self.assertRaises(ValueError):
                cryptolib.aes(key, 1).encrypt(bytes(n))
        with self.assertRaises(ValueError):
            cryptolib.aes(key, 1).encrypt(bytes(32), bytearray(31))
        self.assertEqual(cryptolib.aes(key, 1).encrypt(b""), b"")
        one_way = cryptolib.aes(key, 1)
        one_way.encrypt(bytes(16))
        with self.assertRaises(ValueError):
            one_way.decrypt(bytes(16))

    def test_plain_python_aes(self):
        if _aes is None:
            self.skipTest("a board has no need of it")
        for case in cases("fips197"):
            keys = _aes.expand(unhexlify(case["key"]))
            block = bytearray(unhexlify(case["text"]))
            _aes.encrypt_block(keys, block)
            self.assertEqual(text(block), case["sealed"])
            _aes.decrypt_block(keys, block)
            self.assertEqual(text(block), case["text"])


if __name__ == "__main__":
    unittest.main()
