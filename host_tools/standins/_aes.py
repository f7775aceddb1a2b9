# AES (FIPS 197) in plain Python, for the stand-in `cryptolib` where nothing faster is at hand. It must never seal
# anything real: its time depends on the key.

_SBOX = bytearray(256)
_INVERSE = bytearray(256)
_DOUBLE = bytearray(256)  # xtime, section 4.2


def _tables():
    # Walks the field by its generator 3 (p) and 3's inverse (q), so that q is 1 / p (section 5.1.1).
    for i in range(256):
        _DOUBLE[i] = (i << 1 ^ (0x1B if i & 0x80 else 0)) & 0xFF
    p = q = 1
    while True:
        p ^= _DOUBLE[p]
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        wide = q * 0x101
        _SBOX[p] = (wide ^ wide >> 4 ^ wide >> 5 ^ wide >> 6 ^ wide >> 7 ^ 0x63) & 0xFF
        if p == 1:
            break
    _SBOX[0] = 0x63
    for i in range(256):
        _INVERSE[_SBOX[i]] = i


_tables()
_SBOX2 = bytes(_DOUBLE[s] for s in _SBOX)  # SubBytes, then times 2


# The round keys in one, 16 bytes per round and 16 before the first (section 5.2). key: 16 or 32 bytes.
def expand(key):
    words = len(key) // 4
    out = bytearray(key)
    rcon = 1
    for i in range(words, 4 * (words + 7)):
        last = out[-4:]
        if i % words == 0:
            last = bytes((_SBOX[last[1]] ^ rcon, _SBOX[last[2]], _SBOX[last[3]], _SBOX[last[0]]))
            rcon = _DOUBLE[rcon]
        elif words > 6 and i % words == 4:
            last = bytes(_SBOX[b] for b in last)
        for j in range(4):
            out.append(out[4 * (i - words) + j] ^ last[j])
    return out


# One 16-byte block in place (section 5.1).
def encrypt_block(keys, block):
    state = bytearray(block[i] ^ keys[i] for i in range(16))
    mixed = bytearray(16)
    at = 16
    while at < len(keys) - 16:
        for c in (0, 4, 8, 12):
            # ShiftRows: row r of column c comes from column c + r.
            a, b, d, e = state[c], state[(c + 5) & 15], state[(c + 10) & 15], state[(c + 15) & 15]
            sa, sb, sd, se = _SBOX[a], _SBOX[b], _SBOX[d], _SBOX[e]
            mixed[c] = _SBOX2[a] ^ _SBOX2[b] ^ sb ^ sd ^ se ^ keys[at + c]
            mixed[c + 1] = sa ^ _SBOX2[b] ^ _SBOX2[d] ^ sd ^ se ^ keys[at + c + 1]
            mixed[c + 2] = sa ^ sb ^ _SBOX2[d] ^ _SBOX2[e] ^ se ^ keys[at + c + 2]
            mixed[c + 3] = sa ^ _SBOX2[a] ^ sb ^ sd ^ _SBOX2[e] ^ keys[at + c + 3]
        state, mixed = mixed, state
        at += 16
    for i in range(16):
        block[i] = _SBOX[state[(i + 4 * (i & 3)) & 15]] ^ keys[at + i]


# The inverse, in place (section 5.3).
def decrypt_block(keys, block):
    at = len(keys) - 16
    state = bytearray(block[i] ^ keys[at + i] for i in range(16))
    while True:
        at -= 16
        state = bytearray(_INVERSE[state[(i - 4 * (i & 3)) & 15]] ^ keys[at + i] for i in range(16))
        if at == 0:
            break
        for c in (0, 4, 8, 12):
            _unmix(state, c)
    block[:] = state


def _unmix(state, c):
    # InvMixColumns is MixColumns after adding 4 * (a + d) to rows 0 and 2, 4 * (b + e) to rows 1 and 3.
    a, b, d, e = state[c], state[c + 1], state[c + 2], state[c + 3]
    even = _DOUBLE[_DOUBLE[a ^ d]]
    odd = _DOUBLE[_DOUBLE[b ^ e]]
    a, b, d, e = a ^ even, b ^ odd, d ^ even, e ^ odd
    all_ = a ^ b ^ d ^ e
    state[c] = a ^ all_ ^ _DOUBLE[a ^ b]
    state[c + 1] = b ^ all_ ^ _DOUBLE[b ^ d]
    state[c + 2] = d ^ all_ ^ _DOUBLE[d ^ e]
    state[c + 3] = e ^ all_ ^ _DOUBLE[e ^ a]
