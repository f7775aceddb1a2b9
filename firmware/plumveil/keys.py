# The key chain: epoch secret -> stream secret -> hourly step -> seal key of this boot. Hands out (key, nonce) pairs,
# each at most once per boot. Spent secrets are not yet erased from flash, and counters live in RAM: two boots differ
# by their salts alone.

from plumveil import cbor, crypto, wire
from plumveil.errors import SealRefused

PARTIAL_IV_MAX = 0xFFFF  # messages under one seal key, which lives for an hour at most
_NEXT = cbor.dumps([wire.L_NEXT])
_STEP = cbor.dumps([wire.L_STEP])
_SEAL = cbor.dumps([wire.L_SEAL, wire.COSE_ALG_AES_CCM_16_128_256])


def epoch_of(t_s, epoch0_day):
    return t_s // wire.EPOCH_S - epoch0_day


def next_secret(secret):
    return crypto.hkdf(secret, _NEXT)


def stream_secret(epoch_secret, stream):
    return crypto.hkdf(epoch_secret, cbor.dumps([wire.L_STREAM, stream]))


def step_secret(secret):
    return crypto.hkdf(secret, _STEP)


def message_salt(boot_secret, epoch, stream):
    # The salt that messages of one boot, epoch and stream carry in clear. One for all of a boot would tie every
    # pseudonym of that boot together.
    return crypto.hkdf(boot_secret, cbor.dumps([wire.L_SALT, epoch, stream]), n=wire.BOOT_SALT_BYTES)


def seal_material(secret, salt):
    # (32-byte key, 13-byte common IV) of one step and salt.
    material = crypto.hkdf(secret, _SEAL, salt, wire.KEY_BYTES + wire.NONCE_BYTES)
    return material[: wire.KEY_BYTES], material[wire.KEY_BYTES :]


class Seal:
    # One seal key in use; `take` counts.
    def __init__(self, step, secret, salt):
        key, self.common_iv = seal_material(secret, salt)
        self.step = step
        self.salt = salt
        self.ccm = crypto.AesCcm(key)
        self._next = 0

    def take(self):
        # The next partial IV; SealRefused once they are used up.
        if self._next > PARTIAL_IV_MAX:
            raise SealRefused("partial IV used up")
        self._next += 1
        return self._next - 1


class StreamChain:
    # Where one stream's chain stands: the secret of (epoch, step), and the seal made of it once one was needed.
    def __init__(self, epoch, secret, salt):
        self.epoch = epoch
        self.step = 0
        self.secret = secret
        self.salt = salt
        self.seal = None

    def advance(self, step):
        # Forward only: a step once left behind is not taken up again, its counter is gone.
        while self.step < step:
            self.secret = step_secret(self.secret)
            self.step += 1
            self.seal = None


class KeyChain:
    # k_chain: 32 bytes; epoch0_day: Unix day of epoch 0; boot_secret: 32 fresh random bytes of this boot.
    def __init__(self, k_chain, epoch0_day, boot_secret):
        if len(k_chain) != wire.KEY_BYTES or len(boot_secret) != wire.KEY_BYTES:
            raise SealRefused("key length")
        self._boot_secret = boot_secret
        self.epoch0_day = epoch0_day
        self._k_chain = k_chain
        self._epoch = 0
        self._secret = k_chain
        self._chains = {}

    def seal(self, stream, t_s):
        # The Seal for what `stream` reports of time t_s; what is late goes under the step in use.
        chain = self._chain(stream, t_s)
        if chain.seal is None:
            chain.seal = Seal(chain.step, chain.secret, chain.salt)
        return chain.seal

    def open(self, stream, t_s):
        # Puts a stream's chain in use before its first message, so that its steps are taken hour by hour.
        self._chain(stream, t_s)

    def advance(self, t_s):
        # Takes every chain in use to t_s, so that no secret of a past step is kept waiting for the next message.
        for stream in self._chains:
            if self.allows(stream, t_s):
                self._chain(stream, t_s)

    def allows(self, stream, t_s):
        # False when t_s lies before the first epoch, or in an epoch that the stream has left for good.
        epoch = epoch_of(t_s, self.epoch0_day)
        return epoch >= 0 and (stream not in self._chains or epoch >= self._chains[stream].epoch)

    def _chain(self, stream, t_s):
        if not self.allows(stream, t_s):
            raise SealRefused("time ran back over an epoch")
        epoch = epoch_of(t_s, self.epoch0_day)
        chain = self._chains.get(stream)
        if chain is None or epoch > chain.epoch:
            salt = message_salt(self._boot_secret, epoch, stream)
            chain = StreamChain(epoch, stream_secret(self._epoch_secret(epoch), stream), salt)
            self._chains[stream] = chain
        chain.advance(t_s % wire.EPOCH_S // wire.STEP_S)
        return chain

    def _epoch_secret(self, epoch):
        if epoch < self._epoch:
            self._epoch, self._secret = 0, self._k_chain
        while self._epoch < epoch:
            self._secret = next_secret(self._secret)
            self._epoch += 1
        return self._secret
