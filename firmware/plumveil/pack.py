# Packs and seals: a Record goes in, a COSE_Encrypt0 message comes out. Readings gather in one open batch, everything
# else is sealed alone and at once. Takes nothing but a Record.

from plumveil import cbor, columns, cose, wire
from plumveil.errors import SealRefused
from plumveil.policy import field_row
from plumveil.trust import Record, Sealed

# A deterministic byte string cannot make an item (key, head, content) of these sizes: one block more is padded.
_UNREACHABLE_PADS = (1, 26)


def padded(body):
    # Deterministic CBOR of the map `body`, padded so that the ciphertext with its tag fills whole blocks.
    out = bytearray()
    cbor.put(out, body)
    gap = -(len(out) + wire.TAG_BYTES) % wire.PAD_BLOCK_BYTES
    if gap in _UNREACHABLE_PADS:
        gap += wire.PAD_BLOCK_BYTES
    if gap:
        # K_PAD is the lowest key there can be, so its entry goes first; the head of a map this small is one byte.
        out[0] += 1
        out[1:1] = bytes((wire.K_PAD,)) + cbor.dumps(bytes(gap - (2 if gap < 26 else 3)))
    return out


class Batch:
    # Readings at a steady interval within one epoch, as columns. record: the first; policy: the Policy in force.
    def __init__(self, record, policy):
        self.epoch = record.epoch
        self.count = 0
        self._start_s = self._next_s = record.t_s
        self._interval_s = policy.sample_s
        fields = [field for field in policy.fields if field_row(field)[2] == wire.READINGS]
        self._columns = [(field, []) for field in sorted(fields)]
        self.add(record)

    def add(self, record):
        # False, and nothing changed, when the record breaks the rhythm or belongs to another epoch.
        if record.t_s != self._next_s or record.epoch != self.epoch:
            return False
        values = record.values
        for field, column in self._columns:
            column.append(values.get(field))
        self._next_s += self._interval_s
        self.count += 1
        return True

    def body(self):
        # The plaintext map, or None when no reading has a value.
        used = []
        ids = []
        for field, values in self._columns:
            if values.count(None) < len(values):
                row = field_row(field)
                used.append((values, row[4], row[5]))
                ids.append(field)
        if not ids:
            return None
        return {
            wire.K_TIME: self._start_s,
            wire.K_INTERVAL: self._interval_s,
            wire.K_COUNT: self.count,
            wire.K_FIELDS: ids,
            wire.K_COLUMNS: columns.encode(used),
        }


class Packer:
    # keys: KeyChain; pseudonyms: Pseudonyms; policy: the Policy in force.
    def __init__(self, keys, pseudonyms, policy):
        self._keys = keys
        self._pseudonyms = pseudonyms
        self._policy = policy
        self._batch = None

    def add(self, record, consent_secret=b""):
        # Record -> [Sealed]: what became complete by it. SealRefused when it cannot be taken: what was open stays so.
        # consent_secret: 32 bytes beside a position.
        if type(record) is not Record:
            raise TypeError("pack takes Records only")
        if record.stream != wire.READINGS:
            return [self._seal(record.stream, record.epoch, _body(record), consent_secret)]
        done = ()
        if self._batch is None or self._full() or not self._batch.add(record):
            done = self.close()
            self._batch = Batch(record, self._policy)
        if not self._full():
            return done
        try:
            return list(done) + self.close()
        except SealRefused:
            # Kept, to be sealed once that works again.
            return done

    def close(self):
        # Seals the open batch, if any -> [Sealed]; a batch without a single value is nothing. SealRefused: it stays.
        batch = self._batch
        body = batch.body() if batch else None
        done = [self._seal(wire.READINGS, batch.epoch, body)] if body else []
        self._batch = None
        return done

    def close_before(self, t_s):
        # -> [Sealed]: an open batch of another epoch than that of t_s is closed, while its keys are still there.
        if self._batch is not None and self._keys.leaves(t_s):
            return self.close()
        return ()

    def _full(self):
        return self._batch.count >= self._policy.batch_max

    def _seal(self, stream, epoch, body, consent_secret=b""):
        if epoch != self._keys.epoch:
            raise SealRefused("clock")
        seal, partial_iv = self._keys.seal(stream, consent_secret)
        pseudonym = self._pseudonyms.stream(stream)
        version = self._policy.version
        message = cose.encrypt0(
            seal.ccm,
            seal.common_iv,
            partial_iv,
            pseudonym,
            [wire.WIRE_VERSION, seal.step, version, seal.salt],
            cbor.dumps([wire.WIRE_VERSION, self._keys.tenant, stream, pseudonym, version]),
            padded(body),
        )
        return Sealed(stream, epoch, pseudonym, self._pseudonyms.session(), message)


def _body(record):
    body = {wire.K_TIME: record.t_s}
    body.update(record.values)
    return body
