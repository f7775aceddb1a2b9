# A desk over a key chain on flash and a disk, for tests of consent.
from hashlib import sha256

import nodefiles
import scratch

from plumveil import cbor, desk, wire
from plumveil.consent import Consent
from plumveil.drops import Drops
from plumveil.held import HeldCell
from plumveil.policy import Policy
from plumveil.store import Store
from plumveil.trust import Sealed

NOW_S = nodefiles.NOON_S


class Line:
    # A pipeline that takes receipts, or does not.
    def __init__(self):
        self.takes = True
        self.receipts = []

    def receipt(self, t_s, kind, entry):
        if self.takes:
            self.receipts.append((kind, entry))
        return self.takes


class Node:
    # A desk over a key chain on flash and a disk; boot() begins anew with what stands there.
    def __init__(self, policy=None):
        self.folder = scratch.folder()
        self.policy = policy or nodefiles.policy_map()
        self.now_s = NOW_S
        self.line = Line()
        nodefiles.new_flash()
        self.boot()

    def boot(self):
        self.drops = Drops()
        self.chain = nodefiles.key_chain()
        self.state = self.chain._state
        self.store = Store(self.folder, self.drops)
        self.held = HeldCell(wire.FILE_CELL)
        policy = Policy(self.policy)
        self.consent = Consent(self.state, policy)
        self.desk = desk.Desk(
            self.state,
            self.chain._vault,
            self.chain.commit,
            self.store,
            self.held,
            self.drops,
            lambda: self.now_s,
            self.consent,
            policy,
            self.line,
        )
        return self.desk

    def grant(self, **changed):
        return self.desk.apply(nodefiles.grant_bytes(nodefiles.grant_map(**changed)))

    def queue(self):
        for stream in (wire.READINGS, wire.LOCATION, wire.LOCATION):
            self.store.put(Sealed(stream, 2, b"12345678", b"87654321", b"message"))

    def entries(self):
        # Of the log, checked as a chain.
        before = bytes(32)
        found = []
        for _, entry in self.line.receipts:
            number, hashed, kind, t_s, details = cbor.loads(entry)
            if (number, hashed) != (len(found) + 1, before):
                raise AssertionError("chain")
            before = sha256(entry).digest()
            found.append((kind, t_s, details))
        return found


class Files(scratch.Scratch):
    PATHS = ("FILE_ENTRY", "FILE_LOG", "FILE_OFF", "FILE_CELL")

    def setUp(self):
        scratch.Scratch.setUp(self)
        self.node = Node()

    def off(self):
        node = self.node
        self.assertEqual(node.desk.tier(), wire.TIER_OFF)
        self.assertEqual((node.state.grant, node.consent.secret), (None, b""))
        self.assertFalse(nodefiles.CONSENT_SECRET in nodefiles.world.current.flash[wire.KEYS_PARTITION].image())
