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
_ENOSPC = 28


def _frame_bytes(sealed):
    return _HEAD_BYTES + _NAMES_BYTES + len(sealed.message)


class Queue:
    # One stream's queue in `folder`, at most segments_max segments; drops: Drops.
    def __init__(self, folder, stream, segments_max, drops):
        make_folder(folder)
        self._folder = folder
        self._stream = stream
        self._segments_max = segments_max
        self._drops = drops
        # Numbers of the segments, oldest first; what an earlier boot left is never appended to: its end may be torn.
        self._segments = sorted(int(name, 16) for name in os.listdir(folder) if len(name) == 8)
        self._append_to = None
        self._offset = 0
        self._head = None

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
                return
            except OSError as e:
                # What a full disk left of the frame ends this segment.
                self._append_to = None
                if attempt or e.errno != _ENOSPC or not self._drop_oldest():
                    self._drops.add(wire.R_QUEUE_FULL)
                    raise StoreFull(wire.STREAMS[self._stream])

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
        except OSError:
            return 0

    def _drop_oldest(self):
        # Forces the oldest segment out and counts its messages; False when there is none.
        if not self._segments:
            return False
        n = 0
        offset = self._offset
        frame = self._frame(self._segments[0], offset)
        while frame is not None:
            n += 1
            offset += _frame_bytes(frame)
            frame = self._frame(self._segments[0], offset)
        self._remove_segment()
        self._drops.add(wire.R_QUEUE_FULL, n)
        return True

    def peek(self):
        # The oldest Sealed not yet acknowledged, or None.
        while self._head is None and self._segments:
            number = self._segments[0]
            frame = self._frame(number, self._offset)
            if frame is None:
                self._remove_segment()
                continue
            self._head = frame
        return self._head

    def _frame(self, number, offset):
        # The frame at offset, or None at the segment's end, whether whole or torn.
        try:
            with open(self._path(number), "rb") as f:
                f.seek(offset)
                head = f.read(_HEAD_BYTES)
                if len(head) < _HEAD_BYTES:
                    return None
                length, crc, epoch = struct.unpack(_HEAD, head)
                if length > wire.MESSAGE_MAX_BYTES:
                    return None
                rest = f.read(_NAMES_BYTES + length)
        except OSError:
            return None
        if len(rest) != _NAMES_BYTES + length or crc32(rest, crc32(head[6:])) != crc:
            return None
        return Sealed(self._stream, epoch, rest[8:16], rest[:8], rest[16:])

    def ack(self):
        # Forgets what peek returned; it is delivered.
        self._offset += _frame_bytes(self._head)
        self._head = None
        if self._offset >= self._size(self._segments[0]):
            self._remove_segment()

    def _remove_segment(self):
        number = self._segments.pop(0)
        if number == self._append_to:
            self._append_to = None
        self._offset = 0
        self._head = None
        remove(self._path(number))

    def count(self):
        # Messages waiting.
        n = 0
        for i, number in enumerate(self._segments):
            offset = 0 if i else self._offset
            frame = self._frame(number, offset)
            while frame is not None:
                n += 1
                offset += _frame_bytes(frame)
                frame = self._frame(number, offset)
        return n


class Store:
    # The four queues under `folder`. Bounds in segments: readings are worth most of the disk, positions least.
    SEGMENTS_MAX = (192, 32, 16, 32)

    def __init__(self, folder, drops):
        self._queues = [
            Queue("%s/%s" % (folder, wire.TOPIC_LETTERS[stream]), stream, self.SEGMENTS_MAX[stream], drops)
            for stream in range(len(wire.STREAMS))
        ]

    def put(self, sealed):
        self._queues[sealed.stream].put(sealed)

    def peek(self):
        # The Sealed to deliver next, or None: oldest epoch first, within it events before positions before readings.
        best = None
        for stream in (wire.EVENTS, wire.LOCATION, wire.DEVICE, wire.READINGS):
            head = self._queues[stream].peek()
            if head is not None and (best is None or head.epoch < best.epoch):
                best = head
        return best

    def ack(self, sealed):
        # Forgets what peek returned.
        self._queues[sealed.stream].ack()

    def count(self):
        n = 0
        for queue in self._queues:
            n += queue.count()
        return n
