# Who this node is today: pseudonyms per epoch and stream, and the record's epoch. Nothing here comes from the MAC,
# and nothing that leaves here links one epoch to another without the node's identity secret.

from binascii import hexlify

from plumveil import cbor, terms, wire
from plumveil.crypto import hkdf, hmac_sha256
from plumveil.errors import Rejected
from plumveil.trust import Record

HOST_NAME_BYTES = 6  # twelve letters of a name


class Pseudonyms:
    # keys: KeyChain, whose epoch is today's; mask_health, split_dates: the policy says so.
    def __init__(self, keys, mask_health, split_dates=False):
        self._keys = keys
        self._split_dates = split_dates
        self._mask_health = mask_health
        self._epoch = None
        # Names of the epoch in use, by label and stream or serial.
        self._names = {}

    def record(self, coarse):
        # Coarse -> Record. Rejected when its time lies outside the epoch in force.
        epoch = self._keys.epoch_at(coarse.t_s)
        if epoch != self._keys.epoch:
            raise Rejected("clock")
        values = coarse.values
        t_s = coarse.t_s
        if coarse.stream == wire.DATES:
            values = {wire.K_NAMES: [self.stream(stream) for stream in range(wire.DATES)]}
        elif self._split_dates:
            t_s %= wire.EPOCH_S
        if coarse.stream == wire.LOCATION or coarse.stream == wire.EVENTS:
            values = self._of_today(values)
        elif coarse.stream == wire.DEVICE and self._mask_health:
            # A node's habits (how it hears its access point, how often a sensor fails) would tell it again tomorrow.
            values = {
                wire.K_HEALTH: self._masked_health(values[wire.K_HEALTH], coarse.t_s),
                wire.K_DROPS: self._masked_drops(values[wire.K_DROPS], coarse.t_s),
            }
        return Record(coarse.stream, epoch, t_s, values)

    def stream(self, stream):
        # 8 bytes: key id and topic of one stream today.
        return self._name(wire.L_ID, stream)[: wire.PSEUDONYM_BYTES]

    def session(self):
        # 8 bytes: today's MQTT client id.
        return self._name(wire.L_SESSION)[: wire.PSEUDONYM_BYTES]

    def host_name(self):
        # What DHCP is told today.
        return hexlify(self._name(wire.L_HOST)[:HOST_NAME_BYTES]).decode()

    def _name(self, label, stream=None):
        if self._epoch != self._keys.epoch:
            self._epoch = self._keys.epoch
            self._names = {}
        name = self._names.get((label, stream))
        if name is None:
            name = self._names[label, stream] = self._derive(label, stream)
        return name

    def _derive(self, label, last=None):
        parts = [label, self._keys.tenant] if last is None else [label, self._keys.tenant, last]
        return hmac_sha256(self._keys.names_secret, cbor.dumps(parts))

    def _of_today(self, values):
        # What would tell one epoch's positions and events from another's: a consent's serial, and the log's entries,
        # which are the controller's to read.
        values = dict(values)
        if wire.K_CONSENT in values:
            values[wire.K_CONSENT] = self._name(wire.L_CONSENT, values[wire.K_CONSENT])[: wire.CONSENT_REF_BYTES]
        if wire.K_RECEIPT in values:
            values[wire.K_RECEIPT] = self._masked_receipt(values[wire.K_RECEIPT])
        return values

    def _masked_receipt(self, entry):
        keys = self._keys
        n = len(entry)
        salt = keys.receipt_salt(entry)
        mask = hkdf(keys.names_secret, cbor.dumps([terms.L_RECEIPT, keys.tenant]), salt, n)
        return salt + (int.from_bytes(entry, "big") ^ int.from_bytes(mask, "big")).to_bytes(n, "big")

    def _masked_drops(self, counts, t_s):
        mask = self._derive(wire.L_DROPS, t_s)
        return [(counts[n] + (mask[2 * n] << 8 | mask[2 * n + 1])) & wire.DROPS_MAX for n in range(len(counts))]

    def _masked_health(self, values, t_s):
        mask = self._derive(wire.L_HEALTH, t_s)
        masked = {}
        n = 0
        for row in wire.FIELDS:
            if row[2] == wire.DEVICE:
                if row[0] in values:
                    span = row[5] - row[4] + 1
                    shift = int.from_bytes(mask[n : n + 4], "big") % span
                    masked[row[0]] = row[4] + (values[row[0]] - row[4] + shift) % span
                n += 4
        return masked
