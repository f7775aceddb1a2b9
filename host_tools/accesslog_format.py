"""One line of the access log and its head file: what stands in them, how they are signed and read back.

A line is canonical JSON, so that each of its bytes counts. Must never hold a node name, a pseudonym, a place or a
key: subjects are keyed hashes, a detail is made of fixed words, numbers and dates.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from host_tools import derive

GENESIS = "0" * 64  # stands for the line before the first
SUBJECTS_MAX = 1000  # subjects in an entry
SUBJECT_HEX = 32
LINE_MAX_BYTES = 64 * 1024  # longer than any entry
HEAD_MAX_BYTES = 1024
ACTOR_MAX = 64
DETAIL_MAX = 200


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ACTIONS = _words(
    """
    audit configure consent_collect consent_delegate consent_grant consent_issue consent_list consent_revoke
    consent_void create enrol export group import link list open_location passphrase rekey resolve retire rotate
    """
)
# Words that may stand in a detail: none of them tells of a node. Add to them what a new action needs.
DETAIL_WORDS = _words(
    """
    active all area audit auditor back broker configuration continued controller dates day days decode delegation
    device district enrolled epoch epochs events expires file for from further index into key keys location master
    messages new node nodes not of old passphrase policy processor pseudonym pseudonyms readings receipts region
    rekeyed retired role shown stream streams street taken technician tenant tier to unknown until validate
    version with
    """
)
_NUMBER = re.compile(r"\d{1,20}|\d{4}-\d{2}-\d{2}", re.ASCII)
_LABEL_ENTRY = derive.label("access-log", "entry")
_LABEL_HEAD = derive.label("access-log", "head")

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Signature = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]
Subject = Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{SUBJECT_HEX}}}$")]
Count = Annotated[int, Field(ge=0)]


class Unsound(Exception):
    """A line or a head is not what a signing key of the log made; the text says why. Never shown as it is."""


class _Signed(BaseModel):
    """Canonical JSON with an Ed25519 signature over all of it but the signature."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    version: Literal[1] = 1
    signature: Signature = ""

    def _body(self) -> bytes:
        return _canonical(self.model_dump(exclude={"signature"}, exclude_none=True))

    def line(self) -> bytes:
        """The line as it stands in the file, its end included."""
        return _canonical(self.model_dump(exclude_none=True)) + b"\n"

    def _sealed(self, label: bytes, key: Ed25519PrivateKey) -> Self:
        return self.model_copy(update={"signature": key.sign(label + self._body()).hex()})

    def _signer(self, label: bytes, keys: Iterable[bytes]) -> bytes | None:
        signature, signed = bytes.fromhex(self.signature), label + self._body()
        for key in keys:
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
            except InvalidSignature:
                continue
            return key
        return None

    @classmethod
    def _parse(cls, line: bytes, what: str) -> Self:
        try:
            found = cls.model_validate_json(line)
        except ValidationError:
            raise Unsound(f"not {what}") from None
        # Else a blank or a second spelling of a letter could be slipped in.
        if found.line() != line:
            raise Unsound(f"not {what} as it was written")
        return found


class Torn(BaseModel):
    """What an interrupted write left in front of an entry: bytes up to that entry, and their SHA-256."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    length_bytes: Annotated[int, Field(ge=1, le=3 * LINE_MAX_BYTES)]
    sha256: Hash


class Entry(_Signed):
    """Who did what to how many, when; `prev` is the SHA-256 of the line before."""

    seq: Annotated[int, Field(ge=1)]
    time: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
    actor: Annotated[str, StringConstraints(min_length=1, max_length=ACTOR_MAX)]
    uid: Count
    role: Literal["controller", "technician", "processor", "auditor"]
    action: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")]
    subjects: Annotated[tuple[Subject, ...], Field(max_length=SUBJECTS_MAX)]
    count: Count
    detail: Annotated[str, StringConstraints(max_length=DETAIL_MAX, pattern=r"^[a-z0-9 -]*$")]
    prev: Hash
    next_key: Hash | None = None
    torn: Torn | None = None

    def sealed(self, key: Ed25519PrivateKey) -> Self:
        """The entry with its signature."""
        return self._sealed(_LABEL_ENTRY, key)

    @classmethod
    def read(cls, line: bytes, keys: Iterable[bytes]) -> tuple[Self, bytes]:
        """(entry, the public key of `keys` that signed it) of one line, its end included. Raises Unsound."""
        found = cls._parse(line, "an entry")
        signer = found._signer(_LABEL_ENTRY, keys)
        if signer is None:
            raise Unsound("not signed by the log's key")
        return found, signer


class Head(_Signed):
    """How far the log has come: its last entry, that line's hash, and the file's length behind it."""

    seq: Count
    hash: Hash
    log_bytes: Count

    @classmethod
    def of(cls, seq: int, hash_: str, log_bytes: int, key: Ed25519PrivateKey) -> "Head":
        """A signed head."""
        return cls(seq=seq, hash=hash_, log_bytes=log_bytes)._sealed(_LABEL_HEAD, key)

    @classmethod
    def read(cls, line: bytes, keys: Iterable[bytes]) -> tuple[Self, bytes]:
        """(head, the public key of `keys` that signed it) of a head file's content. Raises Unsound."""
        found = cls._parse(line, "a head")
        signer = found._signer(_LABEL_HEAD, keys)
        if signer is None:
            raise Unsound("not signed by the log's key")
        return found, signer


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")


def line_hash(line: bytes) -> str:
    """What the next entry's `prev` holds."""
    return hashlib.sha256(line).hexdigest()


def subject(key: bytes, text: str) -> str:
    """The keyed hash that stands for a node name or a pseudonym: HMAC-SHA256 cut to 16 bytes, in hex."""
    return hmac.digest(key, derive.label("access-log", "subject", text), "sha256").hex()[:SUBJECT_HEX]


def check_detail(detail: str) -> str:
    """`detail` when it is of fixed words, integers and dates; ValueError (a fault in the caller) when it is not."""
    words = [word for word in detail.split(" ") if detail]
    if len(detail) > DETAIL_MAX or not all(word in DETAIL_WORDS or _NUMBER.fullmatch(word) for word in words):
        raise ValueError("a detail of the access log is made of its own words, integers and dates")
    return detail


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of a signing key's public half."""
    return key.public_key().public_bytes_raw()
