# Known answers at boot: each part broken in turn is found, and none of them otherwise.
import unittest

import nodefiles
import scratch
import world

from plumveil import crypto, flash, selftest, service, wire
from plumveil.errors import SelfTestFailed


class Broken(unittest.TestCase):
    def setUp(self):
        self.kept = crypto.hmac_sha256, crypto.hkdf, crypto.AesCcm

    def tearDown(self):
        crypto.hmac_sha256, crypto.hkdf, crypto.AesCcm = self.kept

    def test_all_is_well(self):
        self.assertEqual(selftest.run(), 0)

    def test_a_wrong_hmac(self):
        hmac = crypto.hmac_sha256
        crypto.hmac_sha256 = lambda key, msg: hmac(key, msg)[:-1] + b"\x00"
        # HKDF rests on it.
        self.assertEqual(selftest.run(), 3)

    def test_a_wrong_hkdf(self):
        hkdf = crypto.hkdf
        crypto.hkdf = lambda ikm, info, salt=b"", n=32: hkdf(ikm, info + b"\x00", salt, n)
        self.assertEqual(selftest.run(), 2)

    def test_a_ccm_that_seals_wrong_lets_pass_or_raises(self):
        good = crypto.AesCcm

        class Wrong(good):
            def encrypt(self, nonce, aad, plaintext, tag_bytes=16):
                return good.encrypt(self, nonce, b"", plaintext, tag_bytes)

        class Blind(good):
            def decrypt(self, nonce, aad, ciphertext, tag_bytes=16):
                return selftest._TEXT

        class Dead(good):
            def encrypt(self, nonce, aad, plaintext, tag_bytes=16):
                raise OSError(5)

        for broken in (Wrong, Blind, Dead):
            crypto.AesCcm = broken
            self.assertEqual(selftest.run(), 4)

    def test_a_boot_with_a_failure_stops_before_anything_rests_on_it_and_leaves_word(self):
        image = nodefiles.new_flash().image()
        base = scratch.folder()
        kept = wire.FILE_SELF_TEST, wire.FOLDER_QUEUE
        wire.FILE_SELF_TEST, wire.FOLDER_QUEUE = base + "/selftest.bin", base + "/q"
        try:
            hmac = crypto.hmac_sha256
            crypto.hmac_sha256 = lambda key, msg: hmac(key, msg)[:-1] + b"\x00"
            with self.assertRaises(SelfTestFailed):
                service.build(self.fail)
            self.assertEqual(flash.load(wire.FILE_SELF_TEST), b"\x03")
        finally:
            wire.FILE_SELF_TEST, wire.FOLDER_QUEUE = kept
        self.assertEqual(world.current.flash[wire.KEYS_PARTITION].image(), image)


if __name__ == "__main__":
    unittest.main()
