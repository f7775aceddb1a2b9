# The node's configuration: a good one is read, anything else is one clear error and no value of it is told.
import unittest

import nodefiles

from plumveil import wire
from plumveil.config import Config
from plumveil.errors import ConfigError

WRONG = (None, True, -1, "", "x", b"", [], {}, [1, 2], {1: 2}, 1 << 40)


def read(parts):
    return Config(nodefiles.config_bytes(parts), nodefiles.K_CONFIG)


class ConfigTest(unittest.TestCase):
    def refused(self, parts):
        with self.assertRaises(ConfigError):
            read(parts)

    def test_a_good_one_is_read(self):
        config = read(nodefiles.config_map())
        self.assertEqual((config.version, config.policy.version, config.policy.batch_max), (1, 1, 60))
        self.assertEqual(config.broker, ["127.0.0.1", 1883, None])

    def test_missing_parts_and_unknown_parts(self):
        for key in nodefiles.config_map():
            parts = nodefiles.config_map()
            del parts[key]
            self.refused(parts)
        parts = nodefiles.config_map()
        parts[99] = 1
        self.refused(parts)
        for key in nodefiles.policy_map():
            if key != wire.P_LIMITS:
                parts = nodefiles.config_map()
                del parts[wire.C_POLICY][key]
                self.refused(parts)
        parts = nodefiles.config_map()
        parts[wire.C_POLICY][99] = 1
        self.refused(parts)

    def test_wrong_kinds(self):
        allowed = {wire.C_BOARD: ({},), wire.C_SENSORS: ([],)}
        for key in nodefiles.config_map():
            for value in WRONG:
                if value in allowed.get(key, ()) and type(value) in (dict, list):
                    continue
                parts = nodefiles.config_map()
                parts[key] = value
                self.refused(parts)
        for key in nodefiles.policy_map():
            for value in WRONG:
                if (key == wire.P_LIMITS and value is None) or (key == wire.P_FIELDS and value == {1: 2}):
                    continue
                if key == wire.P_HEALTH_MASK and value is True:
                    continue
                parts = nodefiles.config_map()
                parts[wire.C_POLICY][key] = value
                self.refused(parts)

    def test_limits_that_make_no_sense(self):
        for limits in ([80, 20, 30], [20, 20, 30], [20, 80, 0], [20, 80], [20, 80, 30, 1]):
            parts = nodefiles.config_map()
            parts[wire.C_POLICY][wire.P_LIMITS] = limits
            self.refused(parts)

    def test_unknown_field_and_step_out_of_bounds(self):
        for fields in ({99: 1}, {1: 0}, {1: -1}, {1: 10**6}, {1: True}, {"temperature": 1}):
            parts = nodefiles.config_map()
            parts[wire.C_POLICY][wire.P_FIELDS] = fields
            self.refused(parts)

    def test_every_cut_and_every_flipped_bit_is_refused(self):
        data = nodefiles.config_bytes(nodefiles.config_map())
        for cut in range(len(data)):
            with self.assertRaises(ConfigError):
                Config(data[:cut], nodefiles.K_CONFIG)
        for bit in range(len(data) * 8):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            with self.assertRaises(ConfigError):
                Config(bytes(flipped), nodefiles.K_CONFIG)

    def test_another_key_does_not_open_it(self):
        with self.assertRaises(ConfigError):
            Config(nodefiles.config_bytes(nodefiles.config_map()), bytes(32))


if __name__ == "__main__":
    unittest.main()
