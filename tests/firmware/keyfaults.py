# A node's lives on one flash, under faults as ordered. Used by test_key_faults.py on every interpreter and by
# tests/host/test_nonce_*.py. What it seals goes to a witness; what it leaves on flash is looked at after each commit.

from hashlib import sha256

import machine
import nodefiles
import world
from keywitness import SECRETS, Broken, secrets, secrets_of, slots
from models.nor_flash import BLOCK_BYTES, NorFlash, PowerCut

from plumveil import cbor, keys, wire
from plumveil.clock import Clock
from plumveil.config import Config
from plumveil.errors import ConfigError, SealRefused
from plumveil.pack import Packer
from plumveil.pseudonym import Pseudonyms
from plumveil.trust import Record

BLANK = b"\xff" * BLOCK_BYTES
FROZEN = bytes(range(32))  # what a random generator that stands still gives at every boot
STORY_LINES = 40


class Time:
    """The port's `time`, as far as plumveil.clock.Clock reads it here."""

    def __init__(self, now_s):
        self.now_s = now_s

    def gmtime(self, _):
        return (1970, 1, 1)

    def time(self):
        return self.now_s

    def ticks_ms(self):
        return 0

    def ticks_diff(self, _, __):
        return 0

    def ticks_add(self, _, __):
        return 0

    def sleep_ms(self, _):
        pass


class Node:
    """One node, enrolled on a new flash, with secrets of its own by `name`. chain: of the life it is in, or None."""

    def __init__(self, witness, name="node", blocks=4):
        world.reset({}, {})
        self.flash = world.current.flash[wire.KEYS_PARTITION] = NorFlash(blocks)
        parts = nodefiles.slot_map()
        for label in SECRETS:
            parts[label] = sha256(b"%d " % label + name.encode()).digest()
        parts[wire.S_STREAMS] = [keys.stream_secret(parts[wire.S_CHAIN], 9 + stream) for stream in range(5)]
        self.flash.program(0, nodefiles.slot_bytes(parts))
        self.name = name
        self.witness = witness
        self.chain = None
        self._time = Time(nodefiles.NOON_S)
        self._story = []
        self._orders = []
        self._reached = 0, 0
        self._held = secrets(parts)
        self._spent = set()
        self._slot = None
        self._looked = None

    def told(self, what):
        return "%s: %s; %s" % (self.name, what, " / ".join(self._story))

    def _broken(self, what):
        if not self.witness.pairs_only:
            raise Broken(self.told(what))

    def tell(self, line):
        self._story.append(line)
        del self._story[:-STORY_LINES]

    def order(self, orders):
        """Faults for operations from now: (nth, fault, part, times) each, as NorFlash.order."""
        for order in orders:
            self.tell("fault %r" % (order,))
            self.flash.order(*order)
            first = self.flash.operations + order[0]
            self._orders.append((first, first + (order[3] if len(order) > 3 else 1)))

    def calm(self):
        """The flash is well again; counts the faults it had."""
        done = self.flash.operations
        self.witness.faults += sum([min(end, done) - first for first, end in self._orders if first < done])
        self._orders = []
        self.flash.power_on()

    def boot(self, random_bytes, cause=world.PWRON_RESET, orders=()):
        """-> whether the node is up. RTC memory and clock are lost with the power only."""
        self.calm()
        self.chain = None
        self.tell("boot %d" % cause)
        world.current.boot(cause)
        if cause == world.PWRON_RESET:
            self._time.now_s = world.YEAR_2000_S
        self._clock = Clock(self._time, machine.RTC().memory, nodefiles.EPOCH0_DAY * wire.EPOCH_S)
        self.witness.lives += 1
        found = slots(self.flash.image())
        if found:
            self._hold(found[0][0])
        self.order(orders)
        try:
            chain = nodefiles.key_chain(random_bytes)
        except PowerCut:
            self._cut()
            return False
        except ConfigError as e:
            if not found:
                raise
            self._broken("does not boot: %s" % e)
            return False
        if not found:
            self._broken("started from nothing")
        elif chain._state.generation != found[0][0][wire.S_GENERATION]:
            self._broken("took an older slot")
        self._slot = self._looked = None
        self.chain = chain
        return True

    def hear(self, t_s):
        """A time source sets the clock."""
        self.tell("clock %d" % t_s)
        self._time.now_s = t_s
        self._clock.set_by_source()

    def now_s(self, lost_s):
        """What the clock says; lost_s when it was lost with the power."""
        return max(self._time.now_s, lost_s)

    def advance(self):
        """Takes the chain to what the clock says -> whether it went."""
        if self.chain is None or not self._clock.trusted():
            return False
        self.tell("advance")
        try:
            self.chain.advance(self._clock.now_s())
        except PowerCut:
            return self._cut()
        except SealRefused as e:
            return self._refused(e)
        self._looked = None
        self._look()
        return True

    def seal(self, stream, count=1):
        """-> whether all were sealed."""
        if self.chain is None:
            return False
        self.tell("seal %d x %d" % (stream, count))
        consent = nodefiles.CONSENT_SECRET if stream == wire.LOCATION else b""
        for _ in range(count):
            try:
                seal, n = self.chain.seal(stream, consent)
            except PowerCut:
                return self._cut()
            except SealRefused as e:
                return self._refused(e)
            self._given(stream, seal, n)
        return True

    def seal_each(self, count=2):
        return all([self.seal(stream, count) for stream in range(5)])

    def send(self):
        """The same through pack and COSE -> whether a message went out."""
        if self.chain is None:
            return False
        self.tell("send")
        policy = Config(nodefiles.config_bytes(nodefiles.config_map()), nodefiles.K_CONFIG).policy
        packer = Packer(self.chain, Pseudonyms(self.chain, True), policy)
        values = {wire.K_EVENT: wire.E_SHOCK, wire.K_ARGUMENT: 7}
        try:
            (sealed,) = packer.add(Record(wire.EVENTS, self.chain.epoch, nodefiles.NOON_S, values))
        except PowerCut:
            return self._cut()
        except SealRefused as e:
            return self._refused(e)
        # Behind the tag 16: an array of protected header, unprotected header, ciphertext.
        header = cbor.loads(cbor.loads(sealed.message[1:])[0])
        _, step, _, salt = header[wire.HDR_PLUMVEIL]
        partial_iv = header[wire.COSE_HDR_PARTIAL_IV]
        self._given(wire.EVENTS, self.chain._seals[wire.EVENTS], int.from_bytes(partial_iv, "big"))
        self.witness.take_header((header[wire.COSE_HDR_KID], salt, step, partial_iv), self)
        return True

    def keep(self):
        """What someone with the chip in hand copies."""
        return self.flash.image(), set(self._spent), set(self._held), self._reached

    def put_back(self, kept):
        self.tell("image put back")
        self.witness.put_back += 1
        self.chain = None
        image, spent, held, self._reached = kept
        self._spent, self._held = set(spent), set(held)
        self.flash.put_back(image)

    def _cut(self):
        self.tell("CUT")
        self.witness.cuts += 1
        self.chain = None
        return False

    def _refused(self, e):
        self.tell("refused: %s" % e)
        self.witness.refusals += 1
        return False

    def _given(self, stream, seal, n):
        self.witness.take(seal, n, self)
        self._look()
        if self._slot is not None and n >= self._slot[wire.S_COUNTERS][stream]:
            self._broken("partial IV %d of stream %d is not below the ceiling on flash" % (n, stream))

    def _hold(self, parts):
        at = parts[wire.S_EPOCH], parts[wire.S_STEP]
        if at < self._reached:
            self._broken("epoch or step ran back")
        self._reached = at
        now = secrets(parts)
        self._spent |= self._held - now
        self._held = now

    def _look(self):
        # The node says it may seal: one whole slot with what it uses stands on flash, and no bit of anything else.
        if self._looked == self.flash.operations or self.witness.pairs_only:
            return
        self._looked = self.flash.operations
        image = self.flash.image()
        found = slots(image)
        if len(found) != 1:
            self._broken("%d slots on flash" % len(found))
            return
        self._slot, n = found[0]
        state = self.chain._state
        if self._slot[wire.S_GENERATION] != state.generation or secrets(self._slot) != secrets_of(state):
            self._broken("seals with what is not on flash")
        self._hold(self._slot)
        for at in range(0, len(image), BLOCK_BYTES):
            block = image[at : at + BLOCK_BYTES]
            if block != BLANK:
                if block[n:] != BLANK[n:]:
                    self._broken("not blank behind the slot")
                for i in range(n - 31):
                    if block[i : i + 32] in self._spent:
                        self._broken("a spent secret is on flash")
