# Where consent is given, taken back and put on record. Off needs nobody's leave and comes first; what is decided
# stands on flash before it counts; each change is an entry of a hash-chained log and leaves as a receipt. Must never
# turn location on but by a grant that plumveil.grant has read.

import os
import sys
from hashlib import sha256

from plumveil import cbor, flash, terms, wire
from plumveil.errors import GrantRefused, Malformed, SealRefused

_KEPT_MAX = 8  # entries that wait for a receipt; beyond that the oldest goes, and the chain shows the gap
_UNSAID = (terms.G_SECRET, terms.G_NODE, terms.G_TENANT)


class Desk:
    # state: KeyState; vault: Vault; commit: makes the state durable, SealRefused; store: Store; held: HeldCell;
    # drops: Drops; now_s: () -> Unix s, None without trusted time; consent, policy, pipeline: None where no program
    # runs.
    def __init__(self, state, vault, commit, store, held, drops, now_s, consent=None, policy=None, pipeline=None):
        self.state = state
        self._vault = vault
        self._commit = commit
        self._store = store
        self._held = held
        self._drops = drops
        self._now_s = now_s
        self._consent = consent
        self._policy = policy
        self._pipeline = pipeline
        self._kept = _kept(state)
        self._refused = [None, 0]
        if state.grant is not None and vault.marked():
            try:
                self.withdraw(terms.BY_CUT)
            except SealRefused:
                # The mark stands, and the next commit is without it.
                pass

    def tier(self):
        # Tier in force now.
        now_s = self._now_s()
        return self._consent.tier(now_s, True) if self._consent and now_s else wire.TIER_OFF

    def withdraw(self, by):
        # Location is off from here on, whatever else fails; by: terms.BY_*. SealRefused when the flash did not hold
        # it: the mark does, if it could be set. Without a consent what one left behind goes, and its end is made
        # durable once more.
        grant = self.state.grant
        if grant:
            self._let_go()
            try:
                self._vault.mark()
            except OSError:
                pass
        self._held.clear()
        self._store.clear(wire.LOCATION)
        if grant:
            self._enter(terms.LOG_WITHDRAWN, [grant[0], by])
        self._commit()

    def apply(self, data):
        # Puts a grant in force -> its tier. GrantRefused, and all is as it was; SealRefused, and location is off.
        state = self.state
        parts = self._read("read", data, state, self._policy, self._now_s())
        caveats = parts.get(terms.G_DELEGATION)
        state.serial = parts[terms.G_SERIAL]
        state.grant = [
            state.serial,
            parts[terms.G_TIER],
            parts[terms.G_STARTS_S],
            parts[terms.G_EXPIRES_S],
            parts[terms.G_SECRET],
            parts[terms.G_POLICY],
            caveats[terms.D_ID] if caveats else 0,
        ]
        self._enter(terms.LOG_GRANTED, {key: parts[key] for key in parts if key not in _UNSAID})
        try:
            self._vault.unmark()
            self._commit()
        except (OSError, SealRefused):
            self.withdraw(terms.BY_CUT)
            raise SealRefused("consent")
        self._consent.look()
        return self.tier()

    def command(self, data):
        # What the controller sent down. GrantRefused.
        kind, number = self._read("command", data, self.state)
        if kind == terms.DOWN_VOID:
            self.void(number)
        elif number > self.state.serial:
            # A grant that has not come yet will not be believed either.
            self.state.serial = number
            if not self.state.grant:
                self._enter(terms.LOG_WITHDRAWN, [number, terms.BY_CONTROLLER])
            self._end(number)
            self._commit()
        else:
            self._end(number)

    def void(self, delegation):
        # No grant under it is believed any more, and one in force is taken back.
        state = self.state
        if self._read("is_void", state, delegation):
            return
        state.voids = sorted(state.voids + [delegation])[-terms.VOIDS_MAX :]
        self._enter(terms.LOG_VOIDED, [delegation])
        if state.grant is not None and state.grant[6] and self._read("is_void", state, state.grant[6]):
            self.withdraw(terms.BY_CONTROLLER)
        else:
            self._commit()

    def tick(self, now_s):
        # Time goes on: puts on record what ended by itself, and sends the receipts that wait. Errors as of withdraw.
        state = self.state
        kind = self._consent.ended(now_s)
        if kind:
            entry = [state.grant[0]] if kind == terms.LOG_EXPIRED else [state.grant[0], self._policy.version]
            self._let_go()
            self._held.clear()
            self._enter(kind, entry)
        if self._policy.version != state.policy:
            state.policy = self._policy.version
            self._enter(terms.LOG_POLICY, [state.policy])
            kind = terms.LOG_POLICY
        if kind:
            self._commit()
        while self._kept:
            entry = self._kept[0]
            if not self._pipeline.receipt(now_s, cbor.loads(entry)[2], entry):
                return
            _append(entry)
            self._kept.pop(0)
            self._save()

    def _end(self, serial):
        grant = self.state.grant
        if grant is not None and grant[0] <= serial:
            self.withdraw(terms.BY_CONTROLLER)

    def _let_go(self):
        self.state.grant = None
        if self._consent:
            self._consent.look()

    def _read(self, function, *arguments):
        # What plumveil.grant makes of it, which is needed too seldom to stay in RAM. GrantRefused, counted.
        from plumveil import grant

        try:
            return getattr(grant, function)(*arguments)
        except GrantRefused as e:
            self._refuse(e.reason)
            raise
        finally:
            del sys.modules["plumveil.grant"]
            delattr(sys.modules["plumveil"], "grant")

    def _refuse(self, reason):
        self._drops.add(wire.R_REFUSED)
        if self._refused[0] != self.state.epoch:
            self._refused = [self.state.epoch, 0]
        if self._refused[1] < terms.REFUSED_MAX:
            self._refused[1] += 1
            self._enter(terms.LOG_REFUSED, [reason])
            try:
                self._commit()
            except SealRefused:
                # On record in RAM: the next commit has it.
                pass

    def _enter(self, kind, details):
        state = self.state
        state.log_count += 1
        entry = cbor.dumps([state.log_count, state.log_hash, kind, self._now_s(), details])
        state.log_hash = sha256(entry).digest()
        self._kept = self._kept[1 - _KEPT_MAX :] + [entry]
        self._save()

    def _save(self):
        if not self._kept:
            return flash.remove(wire.FILE_ENTRY)
        try:
            flash.save(wire.FILE_ENTRY, cbor.dumps(self._kept))
        except OSError:
            # A full disk: in RAM until there is room, and nothing waits for that.
            pass


def _kept(state):
    # Entries that a cut kept from the log, as far back as each is the one that the next names.
    found = []
    try:
        kept = cbor.loads(flash.load(wire.FILE_ENTRY) or b"\x80")
        while kept and cbor.loads(kept[-1])[0] > state.log_count:
            kept.pop()
        hashed = state.log_hash
        while kept and sha256(kept[-1]).digest() == hashed:
            found.insert(0, kept.pop())
            hashed = cbor.loads(found[0])[1]
    except (Malformed, TypeError, LookupError):
        pass
    return found


def _append(entry):
    # What the technician's tools show; the controller has the receipts.
    try:
        try:
            if os.stat(wire.FILE_LOG)[6] + len(entry) > wire.LOG_MAX_BYTES:
                os.rename(wire.FILE_LOG, wire.FILE_LOG + ".old")
        except OSError:
            pass
        with open(wire.FILE_LOG, "ab") as f:
            f.write(entry)
    except OSError:
        pass
