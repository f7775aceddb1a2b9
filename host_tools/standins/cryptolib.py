# Stand-in for MicroPython's `cryptolib`: aes(key, mode[, iv]) with ECB (1) and CBC (2), and the same refusals as
# extmod/modcryptolib.c (1.28). Underneath works the test VM's host, `cryptography`, or, failing both, plain Python.
# Each back end is run(key, mode, iv, source, target), whole blocks, negative mode to decrypt; source may be target.

MODE_ECB = 1
MODE_CBC = 2

try:
    import _vm
    from uctypes import addressof
except ImportError:
    _vm = None
try:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
except ImportError:
    Cipher = None


def _run_vm(key, mode, iv, source, target):
    iv_address = addressof(iv) if iv else 0
    result = _vm.aes(addressof(key), len(key), mode, iv_address, addressof(source), addressof(target), len(source))
    if result < 0:
        raise OSError(-result)


def _run_cryptography(key, mode, iv, source, target):
    cipher = Cipher(algorithms.AES(key), modes.CBC(bytes(iv)) if iv else modes.ECB())
    worker = cipher.encryptor() if mode > 0 else cipher.decryptor()
    target[: len(source)] = worker.update(bytes(source))


def _run_plain(key, mode, iv, source, target):
    import _aes

    keys = _aes.expand(key)
    chain = bytes(iv or 16)
    for at in range(0, len(source), 16):
        before = bytes(source[at : at + 16])
        block = bytearray(before)
        if mode < 0:
            _aes.decrypt_block(keys, block)
            _xor(block, chain)
            chain = before if iv else chain
        else:
            _xor(block, chain)
            _aes.encrypt_block(keys, block)
            chain = bytes(block) if iv else chain
        target[at : at + 16] = block


def _xor(block, other):
    for i in range(16):
        block[i] ^= other[i]


_run = _run_vm if _vm else _run_cryptography if Cipher else _run_plain


class aes:
    # key: 16 or 32 bytes; iv: 16 bytes, CBC only. ValueError otherwise.
    def __init__(self, key, mode, iv=None):
        if mode not in (MODE_ECB, MODE_CBC):
            raise ValueError("mode")
        if len(key) not in (16, 32):
            raise ValueError("key")
        if (iv is None and mode == MODE_CBC) or (iv is not None and len(iv) != 16):
            raise ValueError("IV")
        self._key = bytes(key)
        self._mode = mode
        self._iv = bytearray(iv) if mode == MODE_CBC else None
        self._way = 0

    # data: whole blocks. Written to `out`, at least as long, and returned; without it new bytes.
    def encrypt(self, data, out=None):
        return self._process(data, out, 1)

    def decrypt(self, data, out=None):
        return self._process(data, out, -1)

    def _process(self, data, out, way):
        if len(data) % 16:
            raise ValueError("blksize % 16")
        target = bytearray(len(data)) if out is None else out
        if len(target) < len(data):
            raise ValueError("output too small")
        if self._way == -way:
            # The key schedule of the real one is laid out for one direction at its first use.
            raise ValueError("can't encrypt & decrypt")
        self._way = way
        if len(data):
            iv = self._iv
            after = bytes(data[-16:]) if way < 0 else None
            _run(self._key, way * self._mode, iv and bytearray(iv), data, target)
            if iv:
                # CBC goes on where the last call ended.
                self._iv = bytearray(after or target[len(data) - 16 : len(data)])
        return bytes(target) if out is None else out
