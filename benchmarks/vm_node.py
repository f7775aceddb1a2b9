# A node for the bench's scripts in the VM: the stages as plumveil.service builds them, over a store that counts and a
# key partition in RAM. What flash costs is left out: in the VM it would be the stand-in's time and memory.

BLOCKS = 4
BLOCK_BYTES = 4096
PAGE_BYTES = 256
BLANK = b"\xff" * BLOCK_BYTES


class Partition:
    # As esp32.Partition, holding one slot. What it does with whole pages allocates nothing: that would count as the
    # firmware's.
    def __init__(self, slot):
        self._blocks = [bytearray(BLANK) for _ in range(BLOCKS)]
        self._blocks[0][: len(slot)] = slot
        self._pages = []
        for block in self._blocks:
            view = memoryview(block)
            self._pages.append([view[at : at + PAGE_BYTES] for at in range(0, BLOCK_BYTES, PAGE_BYTES)])

    def ioctl(self, op, block):
        if op == 6:
            self._blocks[block][:] = BLANK
        return BLOCKS

    def readblocks(self, block, buf, offset):
        if len(buf) == PAGE_BYTES:
            buf[:] = self._pages[block][offset // PAGE_BYTES]
        else:
            buf[:] = self._blocks[block][offset : offset + len(buf)]

    def writeblocks(self, block, buf, offset):
        self._blocks[block][offset : offset + len(buf)] = buf


class Store:
    # Where a bench's batches end; nothing waits there long enough to expire. A bench adds put(sealed).
    def expire(self, epoch, days):
        pass


class Nowhere:
    # A vault that holds whatever it is given.
    def commit(self, body):
        pass


def read(path):
    with open(path, "rb") as f:
        return f.read()


def build(store, partition=None):
    # (Pipeline, Unix s of its first epoch's start); partition: Partition for the keys, None: Nowhere. Imports only
    # now, so that what it takes can be measured.
    from plumveil import flash, loop, service, vault, wire
    from plumveil.config import Config
    from plumveil.consent import Consent
    from plumveil.drops import Drops
    from plumveil.held import HeldCell
    from plumveil.keys import KeyChain
    from plumveil.keystate import KeyState, generation_of
    from plumveil.pseudonym import Pseudonyms

    if partition is None:
        safe, body = Nowhere(), vault.slot_body(read("/bench/slot.bin"))
    else:
        safe = vault.Vault(vault.RawArea(partition))
        body = safe.load(generation_of)
    state = KeyState(body)
    config = Config(flash.load("/pv/config.bin"), state.k_config)
    keys = KeyChain(safe, state, bytes(32))
    pseudonyms = Pseudonyms(keys, config.policy.mask_health)
    consent, held = Consent(state, config.policy), HeldCell(wire.FILE_CELL)
    line = service.build_pipeline(keys, pseudonyms, consent, held, config, store, Drops())
    loop.forget()
    return line, state.epoch0_day * 86400
