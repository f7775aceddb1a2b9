# The COSE working group's examples by the node's own CBOR, COSE and crypto code: every AES-CCM Encrypt0 is opened and
# sealed again, every MAC of SHA-256 verified, also cut short; what an example marks as failing is refused.
import json
import os
import unittest
from binascii import hexlify, unhexlify

from testdata import shared

from plumveil import cbor, cose
from plumveil.crypto import AesCcm, equal, hmac_sha256
from plumveil.errors import Malformed

# RFC 9053: section 4.2, algorithm -> (nonce bytes, tag bytes); section 3.1, those with SHA-256 -> tag bytes.
CCM = {10: (13, 8), 30: (13, 16), 12: (7, 8), 32: (7, 16)}
HMACS = {4: 8, 5: 32}
OTHER_HASHES = (6, 7)  # SHA-384 and SHA-512, which a node has no use for
TAGS = {"mac0": b"\xd1", "mac": b"\xd8\x61"}  # the wire's reader knows the tag of Encrypt0 alone
CONTEXTS = {"mac0": "MAC0", "mac": "MAC"}
DEPTH = 5  # COSE_Mac has recipients, each an array with a map


def examples(folder):
    # [(name, example)] of a folder of the shared data.
    found = []
    for name in sorted(os.listdir(shared(folder))):
        with open(shared(folder) + "/" + name) as file:
            found.append((name, json.load(file)))
    return found


def header(protected, unprotected):
    merged = dict(unprotected)
    merged.update(cbor.loads(protected) if protected else {})
    return merged


def mac_kind(example):
    return "mac0" if "mac0" in example["input"] else "mac"


def mac_parts(example):
    # The array of a message with the tag it should have; Malformed otherwise.
    message, tag = unhexlify(example["output"]["cbor"]), TAGS[mac_kind(example)]
    if "RemoveCBORTag" in example["input"].get("failures", {}):
        tag = b""
    if message[: len(tag)] != tag:
        raise Malformed("tag")
    return cbor.loads(message[len(tag) :], DEPTH)


def structure(example, protected, payload):
    # RFC 9052 section 6.3; an empty map counts as an empty string.
    external = unhexlify(example["input"][mac_kind(example)].get("external", ""))
    return cbor.dumps([CONTEXTS[mac_kind(example)], b"" if protected == b"\xa0" else protected, external, payload])


def verified(example):
    # What became of a MAC example: "good", "refused", "another hash".
    try:
        protected, unprotected, payload, mac = mac_parts(example)[:4]
    except Malformed:
        return "refused"
    algorithm = header(protected, unprotected).get(1)
    if algorithm in OTHER_HASHES:
        return "another hash"
    if algorithm not in HMACS:
        return "refused"
    key = unhexlify(example["intermediates"]["CEK_hex"])
    expected = hmac_sha256(key, structure(example, protected, payload))[: HMACS[algorithm]]
    return "good" if equal(mac, expected) else "refused"


class Examples(unittest.TestCase):
    def setUp(self):
        if not shared("cose"):
            self.skipTest("no shared data")

    def test_encrypt0(self):
        found = examples("cose/aes-ccm-examples")
        self.assertEqual(len(found), 4)
        for name, example in found:
            message = cbor.loads(unhexlify(example["output"]["cbor"]))
            protected, unprotected, sealed = message.value
            algorithm, nonce = cbor.loads(protected)[1], unprotected[5]
            nonce_bytes, tag_bytes = CCM[algorithm]
            self.assertEqual((message.tag, len(nonce)), (16, nonce_bytes), name)
            aad = cose.enc_structure(protected, b"")
            self.assertEqual(str(hexlify(aad), "ascii").upper(), example["intermediates"]["AAD_hex"])
            ccm = AesCcm(unhexlify(example["intermediates"]["CEK_hex"]))
            plain = example["input"]["plaintext"].encode()
            self.assertEqual(ccm.decrypt(nonce, aad, sealed, tag_bytes), plain)
            self.assertEqual(ccm.encrypt(nonce, aad, plain, tag_bytes), sealed)
            for bit in range(8 * len(sealed)):
                wrong = bytearray(sealed)
                wrong[bit >> 3] ^= 1 << (bit & 7)
                with self.assertRaises(Malformed):
                    ccm.decrypt(nonce, aad, bytes(wrong), tag_bytes)

    def macs(self, folder):
        outcomes = {}
        for name, example in examples(folder):
            outcome = verified(example)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            self.assertEqual(outcome == "refused", example.get("fail", False), name)
        return outcomes

    def test_hmac(self):
        self.assertEqual(self.macs("cose/hmac-examples"), {"good": 4, "another hash": 4, "refused": 2})

    def test_mac0(self):
        self.assertEqual(self.macs("cose/mac0-tests"), {"good": 4, "refused": 6})

    def test_the_structure_is_the_published_one(self):
        checked = 0
        for name, example in examples("cose/hmac-examples") + examples("cose/mac0-tests"):
            if example.get("fail"):
                continue
            protected, _, payload, _ = mac_parts(example)[:4]
            made = str(hexlify(structure(example, protected, payload)), "ascii").upper()
            self.assertEqual(made, example["intermediates"]["ToMac_hex"], name)
            checked += 1
        self.assertEqual(checked, 12)

    def test_a_changed_mac_key_or_payload_is_refused(self):
        for _, example in examples("cose/mac0-tests"):
            if example.get("fail"):
                continue
            inside = example["intermediates"]
            right = inside["CEK_hex"]
            inside["CEK_hex"] = right[:-1] + "0"
            self.assertEqual(verified(example), "refused")
            inside["CEK_hex"] = right
            message = example["output"]["cbor"]
            example["output"]["cbor"] = message.replace("546869732069", "546869732068")
            self.assertEqual(verified(example), "refused")
            example["output"]["cbor"] = message[:-1] + ("0" if message[-1] != "0" else "1")
            self.assertEqual(verified(example), "refused")
            example["output"]["cbor"] = message
            self.assertEqual(verified(example), "good")


if __name__ == "__main__":
    unittest.main()
