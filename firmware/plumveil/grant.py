# Reads what the controller says to this node: grants, also those of a delegate within his caveats, and commands.
# Judges by what the node holds and by the time. Must never act, nor believe anything before its tag is checked.

from plumveil import cbor, cose, terms, wire
from plumveil.crypto import AesCcm, equal, hkdf, hmac_sha256
from plumveil.errors import ConfigError, GrantRefused, Malformed
from plumveil.policy import bounded

_MAC0 = 0xC0 | terms.COSE_TAG_MAC0
_MAC0_HEADER = cbor.dumps(cbor.dumps({wire.COSE_HDR_ALG: terms.COSE_ALG_HMAC_256}))[1:]
# Number, time, key, bytes, text, delegation: of what is always there from G_SERIAL on, of a delegate's grant, and of
# caveats from D_ID on.
_ALWAYS = "nnsstkbtttsn"
_DELEGATED = _ALWAYS + "dtb"
_CAVEATS = "nttnssttn"


def name(state):
    # What grants call this node. state: KeyState.
    return hmac_sha256(state.k_consent, cbor.dumps([terms.L_NODE, state.tenant]))[: wire.PSEUDONYM_BYTES]


def read(data, state, policy, now_s):
    # A grant that this node may act on: map of terms.G_*. policy: the Policy in force; now_s: Unix s, None without
    # trusted time. GrantRefused.
    try:
        payload, tag = _message(data)
        parts = cbor.loads(payload)
        if not isinstance(parts, dict) or len(parts) not in (len(_ALWAYS), len(_DELEGATED)):
            raise Malformed("grant")
        _check_forms(parts, _ALWAYS if len(parts) == len(_ALWAYS) else _DELEGATED, terms.G_SERIAL)
    except (ConfigError, KeyError, Malformed):
        raise GrantRefused(terms.N_MALFORMED)
    caveats = parts.get(terms.G_DELEGATION)
    _refuse(parts[terms.G_TENANT] != state.tenant, terms.N_TENANT)
    _refuse(parts[terms.G_NODE] != name(state), terms.N_NODE)
    label = [terms.L_GRANT] if caveats is None else [terms.L_DELEGATION, caveats]
    key = hmac_sha256(state.k_consent, cbor.dumps(label))
    mac = hmac_sha256(key, cbor.dumps(["MAC0", _MAC0_HEADER, b"", payload]))
    _refuse(not equal(mac, tag), terms.N_FORGED)
    _refuse(parts[terms.G_SERIAL] <= state.serial, terms.N_REPLAYED)
    _refuse(now_s is None, terms.N_CLOCK)
    _check_time(parts, now_s)
    _refuse(not 1 <= parts[terms.G_TIER] <= policy.location_ceiling, terms.N_CEILING)
    _refuse(parts[terms.G_POLICY] < policy.widened, terms.N_POLICY)
    if caveats is not None:
        _refuse(is_void(state, caveats[terms.D_ID]), terms.N_VOIDED)
        _check_caveats(parts, caveats, now_s)
    return parts


def is_void(state, delegation):
    # There is room for so many on flash only: the oldest are forgotten, and with them all that are older.
    voids = state.voids
    return delegation in voids or (len(voids) >= terms.VOIDS_MAX and delegation < voids[0])


def command(data, state):
    # (terms.DOWN_*, number) of a command. GrantRefused.
    try:
        sealed = cbor.loads(data)
        if len(data) > terms.DOWN_MAX_BYTES or type(sealed) is not cbor.Tagged:
            raise Malformed("grant")
        protected, unprotected, ciphertext = _list(sealed.value, 3)
        header = cbor.loads(_bytes(protected, terms.DOWN_MAX_BYTES))
        if unprotected != {} or header.get(wire.COSE_HDR_ALG) != wire.COSE_ALG_AES_CCM_16_128_256 or len(header) != 2:
            raise Malformed("grant")
        iv = _bytes(header.get(terms.COSE_HDR_IV), wire.NONCE_BYTES, wire.NONCE_BYTES)
        key = hkdf(state.k_consent, cbor.dumps([terms.L_DOWN, state.epoch]))
        aad = cose.enc_structure(protected, cbor.dumps([terms.L_DOWN, state.tenant]))
        kind, number = _list(cbor.loads(AesCcm(key).decrypt(iv, aad, _bytes(ciphertext, terms.DOWN_MAX_BYTES))), 2)
        return bounded(kind, 1, 2, "grant"), bounded(number, 1, 0x3FFFFFFF, "grant")
    except (AttributeError, ConfigError, Malformed):
        raise GrantRefused(terms.N_MALFORMED)


def _refuse(wrong, reason):
    if wrong:
        raise GrantRefused(reason)


def _message(data):
    # (payload, tag) of a COSE_Mac0 (RFC 9052 section 6.2) of the one shape a grant has.
    if not 0 < len(data) <= terms.GRANT_MAX_BYTES or data[0] != _MAC0:
        raise Malformed("grant")
    protected, unprotected, payload, tag = _list(cbor.loads(data[1:]), 4)
    if protected != _MAC0_HEADER or unprotected != {}:
        raise Malformed("grant")
    return _bytes(payload, terms.GRANT_MAX_BYTES), _bytes(tag, wire.KEY_BYTES, wire.KEY_BYTES)


def _list(value, n):
    if not isinstance(value, list) or len(value) != n:
        raise Malformed("grant")
    return value


def _bytes(value, longest, shortest=0):
    if not isinstance(value, bytes) or not shortest <= len(value) <= longest:
        raise Malformed("grant")
    return value


def _check_forms(parts, kinds, first):
    # kinds: a letter a part, from the key or place `first` on.
    for n in range(len(kinds)):
        value = parts[n + first]
        kind = kinds[n]
        if kind == "n":
            bounded(value, 0, 0x3FFFFFFF, "grant")
        elif kind == "s":
            bounded(value, wire.UNIX_MIN_S, wire.UNIX_MAX_S, "grant")
        elif kind == "k":
            _bytes(value, wire.KEY_BYTES, wire.KEY_BYTES)
        elif kind == "b":
            _bytes(value, terms.SEALED_MAX_BYTES, 1)
        elif kind == "d":
            _check_forms(_list(value, len(_CAVEATS)), _CAVEATS, 0)
        elif not isinstance(value, str) or not 0 < len(value) <= terms.TEXT_MAX:
            raise Malformed("grant")


def _check_time(parts, now_s):
    _refuse(now_s >= parts[terms.G_EXPIRES_S], terms.N_EXPIRED)
    _refuse(now_s < parts[terms.G_STARTS_S] or parts[terms.G_ISSUED_S] >= now_s + terms.AHEAD_MAX_S, terms.N_NOT_YET)
    # A serial from far ahead would have all that come after it refused, and no revocation reach it.
    _refuse(parts[terms.G_SERIAL] >= now_s + terms.AHEAD_MAX_S - wire.UNIX_MIN_S, terms.N_NOT_YET)


def _check_caveats(parts, caveats, now_s):
    _refuse(
        not caveats[terms.D_ID]
        or parts[terms.G_TIER] > caveats[terms.D_TIER]
        or not caveats[terms.D_STARTS_S] <= now_s < caveats[terms.D_UNTIL_S]
        or parts[terms.G_EXPIRES_S] > caveats[terms.D_UNTIL_S]
        or parts[terms.G_PURPOSE] != caveats[terms.D_PURPOSE]
        or parts[terms.G_NOTICE] != caveats[terms.D_NOTICE]
        or parts[terms.G_POLICY] != caveats[terms.D_POLICY],
        terms.N_DELEGATION,
    )
