# The same bytes everywhere (P12): vectors made by the host's implementation, see tests/vectors/make_core.py.
import json
import unittest
from binascii import hexlify, unhexlify

import nodefiles
import scratch
from testdata import vectors

from plumveil import columns, grid, keys, wire
from plumveil.pseudonym import Pseudonyms
from plumveil.trust import Coarse


def load():
    with open(vectors("core.json")) as f:
        return json.load(f)


class Gps:
    def fix(self):
        return 49026566, 12065272

    def take_bad(self):
        return 0


class Core(scratch.Scratch):
    def test_cells(self):
        cases = load()["cells"]
        self.assertTrue(len(cases) > 1000)
        for lat_e6, lon_e6, tier, row, column in cases:
            self.assertEqual(grid.locate(lat_e6, lon_e6, tier), (tier, row, column))

    def test_columns(self):
        for case in load()["columns"]:
            self.assertEqual(hexlify(columns.encode(case["columns"])).decode(), case["hex"])

    def test_keys_and_pseudonyms(self):
        nodefiles.new_flash()
        chain = nodefiles.key_chain()
        names = Pseudonyms(chain, True)
        for case in load()["keys"]:
            epoch, stream, step = case["epoch"], case["stream"], case["step"]
            chain.advance((nodefiles.EPOCH0_DAY + epoch) * 86400)
            self.assertEqual(hexlify(names.stream(stream)).decode(), case["pseudonym"])
            self.assertEqual(hexlify(names.session()).decode(), case["session"])
            self.assertEqual(names.host_name(), case["host"])
            mask = unhexlify(case["receipt_mask"])
            chain.receipt_salt = lambda entry: nodefiles.SALT
            coarse = Coarse(wire.EVENTS, (nodefiles.EPOCH0_DAY + epoch) * 86400, {wire.K_RECEIPT: bytes(len(mask))})
            self.assertEqual(names.record(coarse).values[wire.K_RECEIPT], nodefiles.SALT + mask)
            secret = nodefiles.K_CHAIN
            for _ in range(epoch):
                secret = keys.next_secret(secret)
            secret = keys.stream_secret(secret, stream)
            for _ in range(step):
                secret = keys.step_secret(secret)
            key, common_iv = keys.seal_material(secret, nodefiles.SALT)
            self.assertEqual((hexlify(key).decode(), hexlify(common_iv).decode()), (case["key"], case["common_iv"]))

    def test_messages_of_a_day(self):
        pipeline, store, _ = nodefiles.pipeline(nodefiles.consent())
        start_s = nodefiles.NOON_S
        pipeline.take_position(start_s, True, Gps())
        pipeline.take_health(start_s + 60, {wire.F_UPTIME: 7200})
        for n in range(60):
            pipeline.tick(start_s + n * 300)
            pipeline.take(
                start_s + n * 300, {wire.F_TEMPERATURE: 4800 + 100 * (n % 7), wire.F_HUMIDITY: 45000 + 500 * (n % 2)}
            )
        pipeline.tick(start_s + 18000)
        pipeline.take(start_s + 18000, {wire.F_TEMPERATURE: 8100})
        for stream, name in enumerate(wire.STREAMS):
            want = [unhexlify(text) for text in load()["messages"][name]]
            self.assertEqual(store.of(stream), want)


if __name__ == "__main__":
    unittest.main()
