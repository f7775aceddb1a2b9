# What happens to the node of keyfaults.py: faults at each operation of each kind of commit, an old image put back, a
# frozen generator, and seeded mixes of all that. Nothing here puts an image back onto a node whose generator stands
# still: both at once are beyond the design (docs/keys.md).

import nodefiles
import world
from keyfaults import FROZEN, Node
from keywitness import Broken, Dice
from models.nor_flash import BLOCK_BYTES

from plumveil import keys, wire
from plumveil.errors import ConfigError

NOON_S = nodefiles.NOON_S
DAY_S = wire.EPOCH_S
HOUR_S = wire.STEP_S
PARTS = (None, 0, 2, 23, 128, 255, 256)  # 256ths done; 23: about where a slot ends; 256: all, and then the fault
SLEEP, POWER_ON = world.DEEPSLEEP_RESET, world.PWRON_RESET


def live(node, t_s=NOON_S, cause=POWER_ON, orders=(), random_bytes=FROZEN):
    """A life: boot, time, a few messages of each stream."""
    if node.boot(random_bytes, cause, orders):
        if cause == POWER_ON:
            node.hear(t_s)
        node.advance()
        node.seal_each()


def _nothing(node):
    pass


def _nearly_at_the_ceiling(node):
    live(node)
    node.seal(wire.READINGS, keys.CEILING - 4)


def _days_ahead(node):
    live(node)
    node.hear(NOON_S + 3 * DAY_S)
    node.advance()
    node.seal_each()


def _first_use(node, orders):
    live(node, orders=orders)


def _boot(node, orders):
    live(node, cause=SLEEP, orders=orders)


def _power_on(node, orders):
    live(node, NOON_S + 60, orders=orders)


def _go_on(t_s):
    def act(node, orders):
        node.order(orders)
        node.hear(t_s)
        node.advance()
        node.seal_each()

    return act


def _over_the_ceiling(node, orders):
    node.order(orders)
    node.seal(wire.READINGS, keys.CEILING)


# name -> (what was before, what the fault falls into)
SCENES = {
    "first use": (_nothing, _first_use),
    "boot from sleep": (live, _boot),
    "power on": (live, _power_on),
    "hourly step": (live, _go_on(NOON_S + HOUR_S)),
    "epoch change": (live, _go_on(NOON_S + DAY_S)),
    "ceiling": (_nearly_at_the_ceiling, _over_the_ceiling),
    "clock set back": (_days_ahead, _go_on(NOON_S)),
}


def recover(node):
    """Whatever the fault was: the chain goes on once the flash is well, or the node boots and does."""
    for _ in range(2):
        node.advance()
        node.seal_each(1)
    node.calm()
    for hours in (0, 0, 1, 24):
        if node.chain is None or hours == 0:
            node.boot(FROZEN, POWER_ON)
        t_s = node.now_s(NOON_S) + hours * HOUR_S
        node.hear(t_s)
        if not (node.advance() and node.seal_each()) and not node.witness.pairs_only:
            raise Broken(node.told("does not recover"))


def recover_running(node):
    """After failed writes, without a boot: the same chain goes on."""
    node.calm()
    if node.chain is not None and not (node.advance() and node.seal_each()) and not node.witness.pairs_only:
        raise Broken(node.told("does not go on with a flash that is well"))


def at_every_operation(witness, scene, fault, part, times=1, again=None, blocks=4):
    """The scene once for each of its flash operations, with a fault there -> how many there were.

    again: a second fault of the same kind, so many operations after the node booted or tried again.
    """
    before, act = SCENES[scene]
    nth = 0
    while True:
        # By its name each case is a node of its own, with secrets that no other has.
        case = scene, blocks, fault, part, times, nth, again
        node = Node(witness, "%s, %d blocks, %s part %s x%d at %d, again %s" % case, blocks)
        before(node)
        done = node.flash.operations
        act(node, ((nth, fault, part, times),))
        if node.flash.operations <= done + nth:
            return nth
        if again is not None:
            orders = ((again, fault, part, times),)
            if node.chain is None:
                live(node, node.now_s(NOON_S), orders=orders)
            else:
                node.calm()
                node.order(orders)
                node.seal_each()
        recover_running(node)
        recover(node)
        nth += 1


def frozen_boots(witness, boots, hours=0, count=2):
    """Boots with a generator that stands still; the clock too, or it goes on now and then."""
    node = Node(witness, "frozen, %d h a boot" % hours)
    for boot in range(boots):
        live(node, NOON_S + boot * hours * HOUR_S)
        node.seal(wire.READINGS, count)
    return node


def image_put_back(witness, times, count=2):
    """The same old image again and again, under a generator that works; the clock stands still."""
    dice = Dice(1)
    node = Node(witness, "old image")
    live(node, random_bytes=dice.bytes())
    kept = node.keep()
    for _ in range(times):
        node.put_back(kept)
        live(node, random_bytes=dice.bytes())
        node.seal(wire.READINGS, count)
        node.send()


def damaged(witness):
    """Both whole slots damaged -> the node never starts again, whatever it is given."""
    node = Node(witness, "damaged")
    live(node)
    node.order(((1, "cut"),))
    node.hear(NOON_S + HOUR_S)
    node.advance()
    node.calm()
    image = bytearray(node.flash.image())
    bad = 0
    for at in range(0, len(image), BLOCK_BYTES):
        if image[at] != 0xFF:
            image[at + 40] ^= 1
            bad += 1
    node.flash.put_back(bytes(image))
    for _ in range(3):
        try:
            live(node)
        except ConfigError as e:
            if str(e) != "keys damaged":
                raise
    return bad, node.flash.image() == bytes(image)


class Mix:
    """Seeded lives of one node: all faults, all clocks, images put back while the generator works."""

    def __init__(self, witness, seed):
        self._dice = Dice(seed)
        self._node = Node(witness, "mix %d" % seed, self._dice.one_of((2, 3, 4)))
        self._generator = self._dice.one_of(("frozen", "works", "either"))
        self._kept = None
        self._restored = False  # an image was put back, and no commit has yet taken its place for certain
        self._clock_s = NOON_S

    def lives(self, n):
        for _ in range(n):
            self._life()
        self._node.calm()

    def _life(self):
        dice, node = self._dice, self._node
        if self._kept is not None and dice.below(8) == 0:
            node.put_back(self._kept)
            self._restored = True
        frozen = self._generator == "frozen" or (self._generator == "either" and dice.below(2))
        random_bytes = FROZEN if frozen and not self._restored else dice.bytes()
        cause = dice.one_of((SLEEP, POWER_ON))
        if not node.boot(random_bytes, cause, self._faults()):
            return
        if cause == POWER_ON or dice.below(3) == 0:
            self._jump()
            node.hear(self._clock_s)
        if dice.below(8):
            # Else: whoever does not ask for the time first stays in the hour it left.
            node.advance()
        for _ in range(1 + dice.below(4)):
            self._act()

    def _act(self):
        dice, node = self._dice, self._node
        what = dice.below(16)
        if what == 0:
            node.order(self._faults())
        elif what == 1:
            self._kept = node.keep()
        elif what == 2:
            done = node.send()
            self._restored = self._restored and not done
        elif what < 6:
            self._jump()
            if node.chain is not None:
                node.hear(self._clock_s)
                done = node.advance()
                self._restored = self._restored and not done
        else:
            done = node.seal(dice.below(4), dice.one_of((1, 1, 2, 3, 5, 10, 40, 70, 150)))
            self._restored = self._restored and not done

    def _faults(self):
        dice = self._dice
        if dice.below(2):
            return ()
        part = dice.one_of((None, dice.below(257), dice.below(40)))
        return ((dice.below(5), dice.one_of(("cut", "cut", "fail", "idle")), part, dice.one_of((1, 1, 2, 5))),)

    def _jump(self):
        dice = self._dice
        kind = dice.below(64)
        if kind < 24:
            return  # it stands still
        if kind < 44:
            self._clock_s += dice.below(3 * HOUR_S)
        elif kind < 50:
            self._clock_s += dice.below(40) * HOUR_S
        elif kind < 54:
            self._clock_s += DAY_S - self._clock_s % DAY_S + dice.one_of((-1, 0, 1))
        elif kind < 59:
            self._clock_s -= dice.below(2 * HOUR_S)
        elif kind < 61:
            self._clock_s -= dice.below(60) * HOUR_S
        elif kind < 63:
            self._clock_s += dice.below(30) * DAY_S
        elif dice.below(4) == 0:
            self._clock_s += 400 * DAY_S
        elif dice.below(2):
            self._far()
        self._clock_s = max(self._clock_s, NOON_S - 2 * DAY_S)

    def _far(self):
        # A clock that is wrong by far, and followed or not; the caller sets it right again.
        if self._node.chain is not None:
            self._node.hear(self._clock_s + self._dice.one_of((30, 390, wire.EPOCH_JUMP_MAX + 9)) * DAY_S)
            self._node.advance()
            self._node.seal_each(1)
