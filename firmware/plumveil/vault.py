# Keeps the node's keys on flash: blocks of their own, one slot in force, spent ones erased and read back blank. Never
# hands out a slot whose check fails, and never starts anew because none is left.

import os
from hashlib import sha256

from plumveil import cbor, flash, wire
from plumveil.errors import ConfigError, Malformed, SealRefused

_BLANK = b"\xff" * 256
_BLOCK_COUNT = 4  # ioctl numbers of a block device
_BLOCK_ERASE = 6
_MARK_AT = wire.KEYS_BLOCK_BYTES - 32  # in the slot's block: blank, or consent is taken back


class RawArea:
    # A flash partition. Erasing a block erases what was in it, as no filesystem does.
    raw = True

    def __init__(self, partition):
        self._partition = partition
        self._page = bytearray(len(_BLANK))
        self.blocks = partition.ioctl(_BLOCK_COUNT, 0)

    def read(self, block, n, offset=0):
        data = bytearray(n)
        self._partition.readblocks(block, data, offset)
        return bytes(data)

    def write(self, block, data, offset=0):
        # Into blank bytes. With an offset the port writes without erasing first.
        self._partition.writeblocks(block, data, offset)

    def mark(self, block):
        # Any bit that a cut leaves cleared is a mark.
        self.write(block, bytes(32), _MARK_AT)

    def marked(self, block):
        return self.read(block, 32, _MARK_AT) != _BLANK[:32]

    def unmark(self):
        # A new slot's block has none.
        pass

    def erase(self, block):
        self._partition.ioctl(_BLOCK_ERASE, block)

    def blank(self, block):
        # Page by page into one buffer: a commit looks at every block, and would leave 50 KiB to collect otherwise.
        for offset in range(0, wire.KEYS_BLOCK_BYTES, len(_BLANK)):
            self._partition.readblocks(block, self._page, offset)
            if self._page != _BLANK:
                return False
        return True


class FileArea:
    # Two files, where the flash has no partition for keys. A filesystem keeps old blocks until it needs them.
    raw = False
    blocks = 2

    def __init__(self, folder):
        flash.make_folder(folder)
        self._folder = folder

    def _path(self, block):
        return "%s/%d" % (self._folder, block)

    def read(self, block, n, offset=0):
        return (flash.load(self._path(block)) or b"")[offset : offset + n]

    def write(self, block, data):
        with open(self._path(block), "wb") as f:
            f.write(data)

    def mark(self, block):
        open(wire.FILE_OFF, "wb").close()

    def marked(self, block):
        return flash.load(wire.FILE_OFF) is not None

    def unmark(self):
        flash.remove(wire.FILE_OFF)

    def erase(self, block):
        flash.remove(self._path(block))

    def blank(self, block):
        return str(block) not in os.listdir(self._folder)


def open_area(partition_class, folder):
    # partition_class: esp32.Partition, or None on a board without; folder: for the files then.
    if partition_class is not None:
        found = partition_class.find(partition_class.TYPE_DATA, label=wire.KEYS_PARTITION)
        if found:
            return RawArea(found[0])
    return FileArea(folder)


def _slot(body):
    slot = bytearray(2)
    cbor.put(slot, [body, sha256(body).digest()[: wire.CHECK_BYTES]])
    slot[:2] = (len(slot) - 2).to_bytes(2, "big")
    return slot


def slot_body(data):
    # What a slot holds, None when the slot is torn, damaged or none.
    if len(data) < 2:
        return None
    n = data[0] << 8 | data[1]
    if len(data) < 2 + n:
        return None
    try:
        parts = cbor.loads(data[2 : 2 + n])
    except Malformed:
        return None
    if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], bytes):
        return None
    return parts[0] if sha256(parts[0]).digest()[: wire.CHECK_BYTES] == parts[1] else None


class Vault:
    # area: RawArea or FileArea, open to whoever tells how good an erasure is.
    def __init__(self, area):
        self.area = area
        self._block = 0

    def load(self, generation_of):
        # The body in force; whatever else stands in the area is erased. ConfigError when there is none.
        # generation_of: body -> its generation, ConfigError when the body makes no sense.
        best = None
        used = False
        for block in range(self.area.blocks):
            used = used or not self.area.blank(block)
            body = slot_body(self.area.read(block, wire.SLOT_MAX_BYTES))
            if body is not None:
                generation = generation_of(body)
                if best is None or generation > best[0]:
                    best = generation, body, block
        if best is None:
            raise ConfigError("keys damaged" if used else "no keys")
        self._block = best[2]
        try:
            self._erase_others()
        except (OSError, SealRefused):
            # The next commit tries again, and nothing is sealed before one.
            pass
        return best[1]

    def commit(self, body):
        # Makes `body` the slot in force. SealRefused when it is not, or what was before it is not gone; then nothing
        # may be sealed, and the call may be made again.
        slot = _slot(body)
        if len(slot) > wire.SLOT_MAX_BYTES:
            raise SealRefused("keys")
        for n in range(1, self.area.blocks):
            block = (self._block + n) % self.area.blocks
            try:
                if not self._holds(block, slot):
                    continue
                self._block = block
                self._erase_others()
                return
            except OSError:
                # A bad block: the next may be sound.
                pass
        raise SealRefused("key slot not written")

    def _holds(self, block, slot):
        # Writes a slot -> whether it reads back.
        area = self.area
        if not area.blank(block):
            area.erase(block)
        area.write(block, slot)
        return area.read(block, len(slot)) == slot

    def _erase_others(self):
        for block in range(self.area.blocks):
            if block != self._block and not self.area.blank(block):
                self.area.erase(block)
                if not self.area.blank(block):
                    raise SealRefused("spent keys not erased")

    def mark(self):
        # The consent in the slot in force is taken back, before anything else is written. OSError.
        self.area.mark(self._block)

    def marked(self):
        return self.area.marked(self._block)

    def unmark(self):
        # Before a new consent is committed.
        self.area.unmark()

    def enrol(self, body):
        # The first slot of an area, whatever was there. SealRefused when it does not hold.
        self.wipe()
        self._block = self.area.blocks - 1
        self.commit(body)

    def wipe(self):
        # Erases everything -> how many blocks read back blank. A bad block keeps no other from its end.
        return sum([self._wiped(block) for block in range(self.area.blocks)])

    def _wiped(self, block):
        # False when the block does not read back blank; its slot is zeros then, if the flash still clears bits.
        try:
            if not self.area.blank(block):
                self.area.erase(block)
            if self.area.blank(block):
                return True
        except OSError:
            pass
        try:
            self.area.write(block, bytes(wire.SLOT_MAX_BYTES))
        except OSError:
            pass
        return False
