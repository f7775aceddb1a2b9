# Who this node is today: pseudonyms per epoch and stream, and the record's epoch. Nothing here comes from the MAC,
# and nothing that leaves here links one epoch to another without k_id.

from plumveil import cbor, keys, wire
from plumveil.crypto import hmac_sha256
from plumveil.errors import Rejected
from plumveil.trust import Record


class Pseudonyms:
    # k_id: 32 bytes; tenant: str; epoch0_day: Unix day of epoch 0.
    def __init__(self, k_id, tenant, epoch0_day):
        self._tenant = tenant
        self._epoch0_day = epoch0_day
        self._epoch = 0
        self._secret = k_id
        self._k_id = k_id
        # Names of the epoch in use, by label.
        self._names = {}

    def record(self, coarse):
        # Coarse -> Record. Rejected when its time lies before the node's first epoch.
        epoch = keys.epoch_of(coarse.t_s, self._epoch0_day)
        if epoch < 0:
            raise Rejected("clock")
        return Record(coarse.stream, epoch, coarse.t_s, coarse.values)

    def stream(self, epoch, stream):
        # 8 bytes: key id and topic of one stream in one epoch.
        return self._name(epoch, wire.L_ID, stream)

    def session(self, epoch):
        # 8 bytes: MQTT client id of one epoch.
        return self._name(epoch, wire.L_SESSION, None)

    def _name(self, epoch, label, stream):
        self._go_to(epoch)
        name = self._names.get(stream)
        if name is None:
            parts = [label, self._tenant] if stream is None else [label, self._tenant, stream]
            name = hmac_sha256(self._secret, cbor.dumps(parts))[: wire.PSEUDONYM_BYTES]
            self._names[stream] = name
        return name

    def _go_to(self, epoch):
        if epoch == self._epoch:
            return
        self._names = {}
        if epoch < self._epoch:
            self._epoch, self._secret = 0, self._k_id
        while self._epoch < epoch:
            self._secret = keys.next_secret(self._secret)
            self._epoch += 1
