# The key chain: epoch secret -> stream secret -> hourly step -> seal key of this boot. Hands out (key, nonce) pairs,
# each once for ever: whatever a pair rests on stands on flash before it is used, and what it leaves behind is erased.
# Goes forward only.

from plumveil import cbor, crypto, terms, wire
from plumveil.errors import SealRefused

CEILING = 64  # partial IVs allowed ahead with one commit
BACK_MAX_S = 3600  # a clock set back over midnight by less is waited for
_NEXT = cbor.dumps([wire.L_NEXT])
_STEP = cbor.dumps([wire.L_STEP])
_SEAL = cbor.dumps([wire.L_SEAL, wire.COSE_ALG_AES_CCM_16_128_256])


def next_secret(secret):
    return crypto.hkdf(secret, _NEXT)


def stream_secret(epoch_secret, stream):
    return crypto.hkdf(epoch_secret, cbor.dumps([wire.L_STREAM, stream]))


def step_secret(secret):
    return crypto.hkdf(secret, _STEP)


def consent_key(consent_secret, epoch):
    # What joins the location stream's secret. One for each epoch, so that who is given one cannot tell the next.
    return crypto.hkdf(consent_secret, cbor.dumps([wire.L_CONSENT, epoch]))


def message_salt(boot_secret, epoch, stream):
    # The salt that messages of one boot, epoch and stream carry in clear. One for all of a boot would tie every
    # pseudonym of that boot together.
    return crypto.hkdf(boot_secret, cbor.dumps([wire.L_SALT, epoch, stream]), n=wire.BOOT_SALT_BYTES)


def seal_material(secret, salt):
    # (32-byte key, 13-byte common IV) of one step and salt.
    material = crypto.hkdf(secret, _SEAL, salt, wire.KEY_BYTES + wire.NONCE_BYTES)
    return material[: wire.KEY_BYTES], material[wire.KEY_BYTES :]


class Seal:
    # One seal key in use.
    def __init__(self, step, salt, secret, consent_secret):
        key, self.common_iv = seal_material(secret, salt)
        self.step = step
        self.salt = salt
        self.consent_secret = consent_secret
        self.ccm = crypto.AesCcm(key)


class KeyChain:
    # vault: Vault; state: KeyState, as loaded from it; random_bytes: 32 fresh random bytes of this boot.
    def __init__(self, vault, state, random_bytes):
        if len(random_bytes) != wire.KEY_BYTES:
            raise SealRefused("keys")
        self._vault = vault
        self._state = state
        # A generator that gives the same bytes at every boot still makes another secret of another pool.
        fresh = state.pool + random_bytes
        self._boot_secret = crypto.hkdf(fresh, cbor.dumps([wire.L_BOOT, state.generation]))
        state.pool = crypto.hkdf(fresh, cbor.dumps([wire.L_POOL, state.generation]))
        self._next = list(state.counters)
        self._seals = {}
        self._durable = False

    @property
    def epoch(self):
        return self._state.epoch

    @property
    def ahead(self):
        # Epochs that the node runs ahead of the calendar, burned by a clock that was wrong.
        return self._state.ahead

    @property
    def tenant(self):
        return self._state.tenant

    @property
    def names_secret(self):
        return self._state.names

    def place_key(self):
        # What positions are moved by: the node's and its controller's, until the next keys, so that no number of
        # epochs averages it away.
        return crypto.hkdf(self._state.k_consent, cbor.dumps([wire.L_PLACE]))

    def epoch_at(self, t_s):
        return t_s // wire.EPOCH_S - self._state.epoch0_day + self._state.ahead

    def reaches(self, t_s):
        # False when the clock that says t_s runs too far ahead to be followed.
        return self.epoch_at(t_s) - self._state.epoch <= wire.EPOCH_JUMP_MAX

    def leaves(self, t_s):
        # True when t_s is of another epoch than the one in force, and can be followed there.
        epoch = self.epoch_at(t_s)
        if epoch < self._state.epoch:
            return t_s + BACK_MAX_S < self._state.day() * wire.EPOCH_S
        return epoch > self._state.epoch and self.reaches(t_s)

    def advance(self, t_s):
        # Takes the chains to t_s, so that no secret of a past step is kept. SealRefused when that could not be made
        # durable, or the time is none to follow.
        if not self.reaches(t_s):
            raise SealRefused("clock")
        epoch = self.epoch_at(t_s)
        if epoch < self._state.epoch:
            self._fall_behind(t_s, self._state.epoch - epoch)
            epoch = self._state.epoch + 1
        self._go_to(epoch, t_s % wire.EPOCH_S // wire.STEP_S)

    def _fall_behind(self, t_s, epochs):
        # The clock was set back. An epoch once left is not taken up again, and the one in force was another day's:
        # the calendar falls behind instead.
        if not self.leaves(t_s):
            raise SealRefused("clock")
        if self._state.ahead + epochs >= wire.EPOCHS_AHEAD_MAX:
            raise SealRefused("clock")
        self._state.ahead += epochs + 1

    def _go_to(self, epoch, step):
        state = self._state
        at = state.epoch, state.step
        while state.epoch < epoch:
            # C[e+1] is what the slot holds: its streams' secrets and C[e+2] take its place.
            state.streams = [stream_secret(state.chain, stream) for stream in range(wire.STREAM_COUNT)]
            state.chain = next_secret(state.chain)
            state.names = next_secret(state.names)
            state.epoch += 1
            state.step = 0
            self._next = [0] * wire.STREAM_COUNT
        while state.step < step:
            state.streams = [step_secret(secret) for secret in state.streams]
            state.step += 1
        if at != (state.epoch, state.step):
            self.commit()
        elif not self._durable:
            self.commit()

    def seal(self, stream, consent_secret=b""):
        # -> (Seal, partial IV) for one message of `stream` in the epoch in force. SealRefused when there is none.
        # consent_secret: 32 bytes for the location stream.
        if len(consent_secret) != (wire.KEY_BYTES if stream == wire.LOCATION else 0):
            raise SealRefused("consent")
        n = self._next[stream]
        if n > wire.PARTIAL_IV_MAX:
            raise SealRefused("counter")
        if not self._durable or n >= self._state.counters[stream]:
            self.commit()
        self._next[stream] = n + 1
        seal = self._seals.get(stream)
        if seal is None or seal.consent_secret != consent_secret:
            seal = self._seals[stream] = self._new_seal(stream, consent_secret)
        return seal, n

    def _new_seal(self, stream, consent_secret):
        state = self._state
        secret = state.streams[stream]
        if consent_secret:
            secret += consent_key(consent_secret, state.epoch)
        salt = message_salt(self._boot_secret, state.epoch, stream)
        return Seal(state.step, salt, secret, consent_secret)

    def receipt_salt(self, entry):
        # 16 bytes that no other boot and no other entry of the log has.
        return crypto.hkdf(self._boot_secret, cbor.dumps([terms.L_RECEIPT, entry]), n=terms.RECEIPT_SALT_BYTES)

    def commit(self):
        # What is in RAM becomes what is on flash, and only then may be used. Each commit raises the counters'
        # ceilings: the hours' commits then leave none to be made while something is sealed.
        self._durable = False
        self._seals = {}
        top = wire.PARTIAL_IV_MAX + 1
        self._state.counters = [min(used + CEILING, top) for used in self._next]
        self._vault.commit(self._state.body())
        self._durable = True
