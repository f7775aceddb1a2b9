# A node's files for tests, with fixed secrets, and the stages built from them.

from hashlib import sha256

from plumveil import cbor, wire
from plumveil.config import Config, Secrets
from plumveil.crypto import hmac_sha256
from plumveil.drops import Drops
from plumveil.service import build_pipeline

K_ID = bytes(range(32))
K_CHAIN = bytes(range(32, 64))
K_CONFIG = bytes(range(64, 96))
EPOCH0_DAY = 20600  # 2026-05-27
NOON_S = (EPOCH0_DAY + 2) * 86400 + 43200
SALT = bytes(range(200, 216))
BOOT_SECRET = bytes(range(200, 232))


def policy_map():
    return {
        wire.P_VERSION: 1,
        wire.P_FIELDS: {
            wire.F_TEMPERATURE: 1,
            wire.F_HUMIDITY: 1,
            wire.F_SHOCK_PEAK: 1,
            wire.F_BATTERY: 5,
            wire.F_UPTIME: 1,
        },
        wire.P_LOCATION_CEILING: 3,
        wire.P_SAMPLE_S: 300,
        wire.P_POSITION_S: 300,
        wire.P_DEVICE_S: 21600,
        wire.P_UPLOAD_S: 3600,
        wire.P_BATCH_MAX: 60,
        wire.P_LIMITS: [20, 80, 30],
    }


def consent_map(tier=3):
    return {
        wire.G_SERIAL: 7,
        wire.G_TIER: tier,
        wire.G_STARTS_S: NOON_S - 86400,
        wire.G_EXPIRES_S: NOON_S + 86400,
        wire.G_PURPOSE: "route of the delivery",
    }


def config_map(consent=None):
    parts = {
        wire.C_VERSION: 1,
        wire.C_POLICY: policy_map(),
        wire.C_BROKER: ["127.0.0.1", 1883, None],
        wire.C_WIFI: ["depot", "correct horse"],
        wire.C_BOARD: {"i2c_scl": 22},
        wire.C_SENSORS: ["sht4x"],
    }
    if consent is not None:
        parts[wire.C_CONSENT] = consent
    return parts


def config_bytes(parts):
    body = cbor.dumps(parts)
    return cbor.dumps([body, hmac_sha256(K_CONFIG, body)])


def secrets_map():
    return {
        wire.S_K_ID: K_ID,
        wire.S_K_CHAIN: K_CHAIN,
        wire.S_K_CONFIG: K_CONFIG,
        wire.S_TENANT: "acme",
        wire.S_EPOCH0_DAY: EPOCH0_DAY,
    }


def secrets_bytes(parts=None):
    body = cbor.dumps(parts or secrets_map())
    return cbor.dumps([body, sha256(body).digest()[: wire.CHECK_BYTES]])


class Kept:
    # A store that only keeps what reaches it.
    def __init__(self):
        self.sealed = []

    def put(self, sealed):
        self.sealed.append(sealed)

    def of(self, stream):
        return [sealed.message for sealed in self.sealed if sealed.stream == stream]


def pipeline(consent=None, boot_secret=BOOT_SECRET):
    # (Pipeline, Kept, Drops) of a node with this consent map.
    store, drops = Kept(), Drops()
    config = Config(config_bytes(config_map(consent)), K_CONFIG)
    return build_pipeline(Secrets(secrets_bytes()), config, store, drops, boot_secret), store, drops
