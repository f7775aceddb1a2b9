# The queue on a real filesystem: order, bounds, torn and flipped bytes.
import os
import unittest

import scratch

from plumveil import wire
from plumveil.drops import Drops
from plumveil.store import SEGMENT_BYTES, Queue, Store
from plumveil.trust import Sealed


def sealed(n, epoch=3, stream=wire.READINGS, size=200):
    return Sealed(stream, epoch, b"pseudony", b"session%d" % (epoch % 10), bytes([n % 256]) * size)


class QueueTest(unittest.TestCase):
    def setUp(self):
        self.folder = scratch.folder() + "/q"
        self.drops = Drops()

    def queue(self, segments=8):
        return Queue(self.folder, wire.READINGS, segments, self.drops)

    def drain(self, queue):
        got = []
        while queue.peek() is not None:
            got.append(queue.peek().message[0])
            queue.ack()
        return got

    def test_first_in_first_out_over_many_segments(self):
        queue = self.queue()
        for n in range(60):
            queue.put(sealed(n))
        self.assertEqual(queue.count, 60)
        self.assertEqual(self.queue().count, 60)
        self.assertEqual(self.drain(queue), list(range(60)))
        self.assertEqual(os.listdir(self.folder), [])

    def test_survives_a_reset_with_everything_it_carries(self):
        self.queue().put(sealed(7, epoch=9))
        head = self.queue().peek()
        self.assertEqual((head.epoch, head.session, head.pseudonym), (9, b"session9", b"pseudony"))
        self.assertEqual(head.message, bytes([7]) * 200)

    def test_put_and_ack_may_alternate(self):
        queue = self.queue()
        got = []
        for n in range(50):
            queue.put(sealed(n))
            if n % 3:
                got.append(queue.peek().message[0])
                queue.ack()
        self.assertEqual(got + self.drain(queue), list(range(50)))

    def test_the_bound_drops_the_oldest_and_counts_them(self):
        queue = self.queue(segments=2)
        for n in range(100):
            queue.put(sealed(n))
        left = self.drain(queue)
        self.assertEqual(left, list(range(100 - len(left), 100)))
        self.assertEqual(self.drops.totals, {wire.R_QUEUE_FULL: 100 - len(left)})
        self.assertTrue(len(left) <= 2 * SEGMENT_BYTES // 200)

    def test_a_torn_end_costs_the_torn_message_alone(self):
        queue = self.queue()
        for n in range(3):
            queue.put(sealed(n))
        path = self.folder + "/" + os.listdir(self.folder)[0]
        with open(path, "rb") as f:
            whole = f.read()
        for cut in range(len(whole) // 3 * 2, len(whole)):
            with open(path, "wb") as f:
                f.write(whole[:cut])
            again = self.queue()
            again.put(sealed(9))
            self.assertEqual(self.drain(again), [0, 1, 9])

    def test_a_damaged_message_costs_itself_alone_and_is_counted(self):
        queue = self.queue()
        for n in range(10):
            queue.put(sealed(n))
        path = self.folder + "/" + os.listdir(self.folder)[0]
        with open(path, "rb") as f:
            whole = bytearray(f.read())
        whole[len(whole) // 10 + 100] ^= 1
        with open(path, "wb") as f:
            f.write(whole)
        again = self.queue()
        self.assertEqual(self.drain(again), [0, 2, 3, 4, 5, 6, 7, 8, 9])
        self.assertEqual((self.drops.totals, again.count), ({wire.R_DAMAGED: 1}, 0))

    def test_a_disk_that_does_not_answer_erases_nothing(self):
        queue = self.queue()
        queue.put(sealed(1))
        path = queue._path
        queue._path = lambda number: self.folder + "/" + "x" * 4000
        with self.assertRaises(OSError):
            queue.peek()
        queue._path = path
        self.assertEqual(self.drain(queue), [1])

    def test_a_foreign_file_is_left_aside(self):
        self.queue().put(sealed(1))
        for name in ("read.me1", "notes"):
            with open(self.folder + "/" + name, "w") as f:
                f.write("x")
        self.assertEqual(self.drain(self.queue()), [1])

    def test_a_flipped_bit_is_never_delivered(self):
        self.queue().put(sealed(1, size=20))
        path = self.folder + "/" + os.listdir(self.folder)[0]
        with open(path, "rb") as f:
            whole = f.read()
        for bit in range(len(whole) * 8):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            with open(path, "wb") as f:
                f.write(flipped)
            self.assertEqual(self.drain(self.queue()), [])


class StoreTest(unittest.TestCase):
    def test_one_clients_messages_or_all_the_others(self):
        store = Store(scratch.folder() + "/q", Drops())
        put = ((1, 9, wire.READINGS), (2, 10, wire.DEVICE), (3, 9, wire.EVENTS), (4, 10, wire.READINGS))
        for n, epoch, stream in put:
            store.put(sealed(n, epoch, stream))
        today = sealed(0, 10).session
        self.assertEqual(self.drain(store, today, False), [2])
        self.assertEqual(self.drain(store, today, True), [3, 1])
        self.assertEqual(self.drain(store, today, False), [4])
        self.assertIs(store.peek(), None)

    def drain(self, store, session, others):
        got = []
        head = store.peek(session, others)
        while head is not None:
            got.append(head.message[0])
            store.ack(head)
            head = store.peek(session, others)
        return got

    def test_oldest_epoch_first_and_events_before_readings(self):
        store = Store(scratch.folder() + "/q", Drops())
        for stream, epoch in (
            (wire.READINGS, 1),
            (wire.EVENTS, 2),
            (wire.LOCATION, 2),
            (wire.READINGS, 2),
            (wire.DEVICE, 1),
        ):
            store.put(sealed(stream, epoch, stream))
        order = []
        while store.peek() is not None:
            head = store.peek()
            order.append((head.epoch, head.stream))
            store.ack(head)
        self.assertEqual(
            order, [(1, wire.DEVICE), (1, wire.READINGS), (2, wire.EVENTS), (2, wire.LOCATION), (2, wire.READINGS)]
        )
        self.assertEqual(store.count(), 0)


if __name__ == "__main__":
    unittest.main()
