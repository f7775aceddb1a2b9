# The bounded queue on flash between pack and uplink: put, peek, ack. Holds sealed messages only. A queue is a folder
# of segment files; a frame is [length u16, CRC-32, epoch u16, session 8, pseudonym 8, message]. A segment goes when
# all of it was acknowledged; after a reset a half acknowledged one is sent again, which the receiver sees as
# duplicates.

import os
import struct
from binascii import crc32

from plumveil import wire
from plumveil.errors import StoreFull
from plumveil.flash import make_folder, remove
from plumveil.trust import Sealed

SEGMENT_BYTES = 4096  # one LittleFS block: a file never takes less
_HEAD = ">HIH"
_HEAD_BYTES = 8
_NAMES_BYTES = 16
_ENOENT = 2
_ENOSPC = 28


class Queue:
    # One stream's queue in `folder`, at most segments_max segments; drops: Drops. What an earlier boot left is never
    # appended to: its end may be torn. A filesystem that does not answer raises OSError from peek and ack, with
    # nothing lost: the call may be made again.
    def __init__(self, folder, stream, segments_max, drops):
        make_folder(folder)
        self._folder = folder
        self._stream = stream
        self._segments_max = segments_max
        self._drops = drops
        # Numbers of the segments, oldest first.
        self._segments = sorted(filter(None, (_number(name) for name in os.listdir(folder))))
        self._append_to = None
        self._offset = 0
        self._head = None
        self._head_bytes = 0
        self.count = 0
        for number in self._segments:
            self.count += self._messages(number, 0)

    def _path(self, number):
        return "%s/%08x" % (self._folder, number)

    def put(self, sealed):
        # Appends; when the bound or the disk is reached the oldest segment goes and is counted. StoreFull if even
        # that does not make room.
        body = struct.pack(">H", sealed.epoch) + sealed.session + sealed.pseudonym + sealed.message
        frame = struct.pack(">HI", len(sealed.message), crc32(body)) + body
        for attempt in (0, 1):
            try:
                self._append(frame)
                self.count += 1
                return
            except OSError as e:
                # What was written of the frame ends this segment; the next try begins another.
                self._append_to = None
                if attempt or (e.errno == _ENOSPC and not self._drop_oldest()):
                    self._drops.add(wire.R_QUEUE_FULL)
                    raise StoreFull("full")

    def _append(self, frame):
        number = self._append_to
        if number is None or self._size(number) + len(frame) > SEGMENT_BYTES:
            if len(self._segments) >= self._segments_max:
                self._drop_oldest()
            number = self._segments[-1] + 1 if self._segments else 1
            self._append_to = number
            self._segments.append(number)
        with open(self._path(number), "ab") as f:
            f.write(frame)

    def _size(self, number):
        try:
            return os.stat(self._path(number))[6]
        except OSError as e:
            if e.errno != _ENOENT:
                raise
            return 0

    def _drop_oldest(self):
        # Forces the oldest segment out and counts its messages; False when there is none.
        if not self._segments:
            return False
        n = self._messages(self._segments[0], self._offset)
        self._remove_segment()
        self.count -= n
        self._drops.add(wire.R_QUEUE_FULL, n)
        return True

    def peek(self):
        # The oldest Sealed not yet acknowledged, or None. A damaged message is passed over and counted.
        while self._head is None and self._segments:
            size, sealed = self._read(self._segments[0], self._offset)
            if sealed is not None:
                self._head, self._head_bytes = sealed, size
            elif size:
                self._offset += size
                self.count -= 1
                self._drops.add(wire.R_DAMAGED)
            else:
                self._remove_segment()
        return self._head

    def _read(self, number, offset):
        # (size of the frame at offset, Sealed): no Sealed when the frame is damaged, size 0 at the segment's end,
        # whole or torn.
        try:
            with open(self._path(number), "rb") as f:
                f.seek(offset)
                head = f.read(_HEAD_BYTES)
                length = struct.unpack(_HEAD, head)[0] if len(head) == _HEAD_BYTES else wire.MESSAGE_MAX_BYTES + 1
                rest = f.read(_NAMES_BYTES + length) if length <= wire.MESSAGE_MAX_BYTES else b""
        except OSError as e:
            if e.errno != _ENOENT:
                raise
            return 0, None
        if len(rest) < _NAMES_BYTES + length:
            return 0, None
        size = _HEAD_BYTES + len(rest)
        _, crc, epoch = struct.unpack(_HEAD, head)
        if crc32(rest, crc32(head[6:])) != crc:
            return size, None
        return size, Sealed(self._stream, epoch, rest[8:16], rest[:8], rest[16:])

    def _messages(self, number, offset):
        # Frames of a segment from offset on.
        n = 0
        size = self._read(number, offset)[0]
        while size:
            n += 1
            offset += size
            size = self._read(number, offset)[0]
        return n

    def expire(self, epoch):
        # Drops what is of an earlier epoch, and counts it.
        head = self.peek()
        while head is not None and head.epoch < epoch:
            self.ack()
            self._drops.add(wire.R_EXPIRED)
            head = self.peek()

    def clear(self):
        # A segment that will not go is forgotten until the next start.
        while self._segments:
            self._remove_segment()
        self.count = 0

    def ack(self):
        # Forgets what peek returned; it is delivered.
        self._offset += self._head_bytes
        self._head = None
        self.count -= 1
        if self._offset >= self._size(self._segments[0]):
            self._remove_segment()

    def _remove_segment(self):
        number = self._segments.pop(0)
        if number == self._append_to:
            self._append_to = None
        self._offset = 0
        self._head = None
        remove(self._path(number))


def _number(name):
    # A segment's number from its file name, None for a file that is none.
    if len(name) != 8:
        return None
    try:
        return int(name, 16)
    except ValueError:
        return None


class Store:
    # The queues under `folder`. Bounds in segments: readings are worth most of the disk, positions least; a date
    # waits for as long as any reading of its day may.
    SEGMENTS_MAX = (192, 32, 16, 32, 20)

    def __init__(self, folder, drops):
        self._queues = [
            Queue("%s/%s" % (folder, wire.TOPIC_LETTERS[stream]), stream, self.SEGMENTS_MAX[stream], drops)
            for stream in range(wire.STREAM_COUNT)
        ]

    def put(self, sealed):
        self._queues[sealed.stream].put(sealed)

    def expire(self, epoch, days):
        # Drops what has waited for more than days[stream] epochs.
        for queue, n in zip(self._queues, days):
            queue.expire(epoch - n)

    def clear(self, stream):
        # Removes what waits in a stream, for good.
        self._queues[stream].clear()

    def peek(self, session=None, others=False):
        # The Sealed to deliver next, or None: oldest epoch first, within it events before positions before readings.
        # session: only what goes out under that client id, or with `others` only what does not.
        best = None
        for stream in (wire.EVENTS, wire.DATES, wire.LOCATION, wire.DEVICE, wire.READINGS):
            head = self._queues[stream].peek()
            if head is None or (session is not None and (head.session != session) != others):
                continue
            if best is None or head.epoch < best.epoch:
                best = head
        return best

    def ack(self, sealed):
        # Forgets what peek returned.
        self._queues[sealed.stream].ack()

    def count(self):
        # Messages waiting.
        return sum([queue.count for queue in self._queues])
