# A node's files for tests, with fixed secrets, and the stages built from them.

from hashlib import sha256

import world
from esp32 import Partition
from models.nor_flash import NorFlash

from plumveil import cbor, keys, wire
from plumveil.config import Config
from plumveil.crypto import hmac_sha256
from plumveil.drops import Drops
from plumveil.keys import KeyChain
from plumveil.keystate import KeyState, generation_of
from plumveil.pseudonym import Pseudonyms
from plumveil.service import build_pipeline
from plumveil.vault import RawArea, Vault

K_ID = bytes(range(32))
K_CHAIN = bytes(range(32, 64))
K_CONFIG = bytes(range(64, 96))
EPOCH0_DAY = 20600  # 2026-05-27
NOON_S = (EPOCH0_DAY + 2) * 86400 + 43200
SALT = bytes(range(200, 216))
BOOT_SECRET = bytes(range(200, 232))
CONSENT_SECRET = bytes(range(100, 132))


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
        wire.P_HEALTH_MASK: True,
        wire.P_LIMITS: [20, 80, 30],
    }


def consent_map(tier=3):
    return {
        wire.G_SERIAL: 7,
        wire.G_TIER: tier,
        wire.G_STARTS_S: NOON_S - 86400,
        wire.G_EXPIRES_S: NOON_S + 86400,
        wire.G_PURPOSE: "route of the delivery",
        wire.G_SECRET: CONSENT_SECRET,
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


def slot_map():
    # What the host writes at enrolment: generation 1, epoch 0, step 0.
    return {
        wire.S_GENERATION: 1,
        wire.S_TENANT: "acme",
        wire.S_EPOCH0_DAY: EPOCH0_DAY,
        wire.S_K_CONFIG: K_CONFIG,
        wire.S_EPOCH: 0,
        wire.S_STEP: 0,
        wire.S_CHAIN: keys.next_secret(K_CHAIN),
        wire.S_NAMES: K_ID,
        wire.S_STREAMS: [keys.stream_secret(K_CHAIN, stream) for stream in range(4)],
        wire.S_COUNTERS: [0, 0, 0, 0],
        wire.S_AHEAD: 0,
        wire.S_POOL: bytes(32),
    }


def slot_bytes(parts=None):
    body = cbor.dumps(parts or slot_map())
    inner = cbor.dumps([body, sha256(body).digest()[: wire.CHECK_BYTES]])
    return len(inner).to_bytes(2, "big") + inner


def new_flash():
    # The stand-in board's partition for keys, enrolled; it is that of `esp32.Partition` from now on.
    world.reset({}, {})
    flash = world.current.flash[wire.KEYS_PARTITION] = NorFlash(4)
    flash.program(0, slot_bytes())
    return flash


def key_chain(random_bytes=bytes(32)):
    # A boot of the node in the current world.
    vault = Vault(RawArea(Partition(wire.KEYS_PARTITION)))
    return KeyChain(vault, KeyState(vault.load(generation_of)), random_bytes)


class Kept:
    # A store that only keeps what reaches it.
    def __init__(self):
        self.sealed = []

    def put(self, sealed):
        self.sealed.append(sealed)

    def of(self, stream):
        return [sealed.message for sealed in self.sealed if sealed.stream == stream]


def pipeline(consent=None, boot_secret=BOOT_SECRET):
    # (Pipeline, Kept, Drops) of a new node with this consent map, at noon of its third day.
    new_flash()
    store, drops = Kept(), Drops()
    config = Config(config_bytes(config_map(consent)), K_CONFIG)
    chain = key_chain()
    chain._boot_secret = boot_secret
    made = build_pipeline(chain, Pseudonyms(chain, config.policy.mask_health), config, store, drops)
    made.tick(NOON_S)
    return made, store, drops
