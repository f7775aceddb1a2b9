# A node's files for tests, with fixed secrets, and the stages built from them.

from hashlib import sha256

import world
from esp32 import Partition
from models.nor_flash import NorFlash

from plumveil import cbor, keys, terms, wire
from plumveil.config import Config
from plumveil.consent import Consent
from plumveil.crypto import hmac_sha256
from plumveil.drops import Drops
from plumveil.held import HeldCell
from plumveil.keys import KeyChain
from plumveil.keystate import KeyState, generation_of
from plumveil.pseudonym import Pseudonyms
from plumveil.service import build_pipeline
from plumveil.vault import RawArea, Vault

K_ID = bytes(range(32))
K_CHAIN = bytes(range(32, 64))
K_CONFIG = bytes(range(64, 96))
K_CONSENT = bytes(range(132, 164))
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
        wire.P_WIDENED: 1,
        wire.P_RETENTION: [90, 7, 30, 400, 400],
    }


def consent(tier=3):
    # A consent in force, as the key slot holds it: S_GRANT.
    return [7, tier, NOON_S - 86400, NOON_S + 86400, CONSENT_SECRET, 1, 0]


def grant_map(**changed):
    # A grant of the controller's, map of terms.G_*; changed: by their names, None leaves one out.
    parts = {
        terms.G_SERIAL: NOON_S - 3600 - wire.UNIX_MIN_S,
        terms.G_TIER: 3,
        terms.G_STARTS_S: NOON_S - 86400,
        terms.G_EXPIRES_S: NOON_S + 86400,
        terms.G_PURPOSE: "route of the delivery",
        terms.G_SECRET: CONSENT_SECRET,
        terms.G_NODE: hmac_sha256(K_CONSENT, cbor.dumps(["node", "acme"]))[:8],
        terms.G_TENANT: "acme",
        terms.G_NOTICE: "2026-05",
        terms.G_WHO: "R. Roe",
        terms.G_ISSUED_S: NOON_S - 3600,
        terms.G_POLICY: 1,
    }
    for name in changed:
        parts[getattr(terms, name)] = changed[name]
    return {key: parts[key] for key in parts if parts[key] is not None}


def caveats(**changed):
    # A delegation, array of terms.D_*.
    parts = [3, "J. Doe", "trailers", 2, NOON_S - 86400, NOON_S + 43200, "route of the delivery", "2026-05", 1]
    for name in changed:
        parts[getattr(terms, name)] = changed[name]
    return parts


def delegated_map(given=None, **changed):
    # A grant made under a delegation.
    more = {"G_DELEGATION": given or caveats(), "G_REASON": "customer asked", "G_SEALED": b"\x01" * 80}
    more.update({"G_TIER": 2, "G_EXPIRES_S": NOON_S + 3600})
    more.update(changed)
    return grant_map(**more)


def grant_bytes(parts, k_consent=K_CONSENT):
    # The COSE_Mac0 of a grant's map.
    given = parts.get(terms.G_DELEGATION)
    label = ["grant"] if given is None else ["delegation", given]
    payload = cbor.dumps(parts)
    protected = cbor.dumps({1: 5})
    key = hmac_sha256(k_consent, cbor.dumps(label))
    tag = hmac_sha256(key, cbor.dumps(["MAC0", protected, b"", payload]))
    return b"\xd1" + cbor.dumps([protected, {}, payload, tag])


def config_map(**changed):
    # changed: parts of the policy by their names.
    policy = policy_map()
    for name in changed:
        policy[getattr(wire, name)] = changed[name]
    return {
        wire.C_VERSION: 1,
        wire.C_POLICY: policy,
        wire.C_BROKER: ["127.0.0.1", 1883, None],
        wire.C_WIFI: ["depot", "correct horse"],
        wire.C_BOARD: {"i2c_scl": 22},
        wire.C_SENSORS: ["sht4x"],
        wire.C_POWER: wire.POWER_MAINS,
    }


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
        wire.S_STREAMS: [keys.stream_secret(K_CHAIN, stream) for stream in range(5)],
        wire.S_COUNTERS: [0, 0, 0, 0, 0],
        wire.S_AHEAD: 0,
        wire.S_POOL: bytes(32),
        wire.S_CONFIG: 0,
        wire.S_K_CONSENT: K_CONSENT,
        wire.S_SERIAL: 0,
        wire.S_GRANT: None,
        wire.S_VOIDS: [],
        wire.S_LOG_COUNT: 0,
        wire.S_LOG_HASH: bytes(32),
        wire.S_POLICY: 0,
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
        self.expired = []

    def expire(self, epoch, days):
        self.expired.append(epoch)

    def put(self, sealed):
        self.sealed.append(sealed)

    def of(self, stream):
        return [sealed.message for sealed in self.sealed if sealed.stream == stream]


def pipeline(grant=None, boot_secret=BOOT_SECRET, **policy):
    # (Pipeline, Kept, Drops) of a new node with this consent in force, at noon of its third day. policy: as in
    # config_map.
    new_flash()
    store, drops = Kept(), Drops()
    config = Config(config_bytes(config_map(**policy)), K_CONFIG)
    chain = key_chain()
    chain._boot_secret = boot_secret
    chain._state.grant = grant
    given = Consent(chain._state, config.policy)
    names = Pseudonyms(chain, config.policy.mask_health, config.policy.split_dates)
    made = build_pipeline(chain, names, given, HeldCell(wire.FILE_CELL), config, store, drops)
    made.tick(NOON_S)
    return made, store, drops
