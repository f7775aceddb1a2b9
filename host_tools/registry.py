"""keys.json, the controller's key file: nodes with their secrets, policies and consents.

Whoever reads it re-identifies every node in it: it is refused unless its owner alone may read it, and written so.
"""

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from host_tools.errors import UsageError
from plumveil import wire

Secret = Annotated[str, StringConstraints(pattern=f"^[0-9a-f]{{{2 * wire.KEY_BYTES}}}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
UnixS = Annotated[int, Field(ge=0, le=wire.UNIX_MAX_S)]
KEY_FILE = "keys.json"
KEYS_VARIABLE = "PLUMVEIL_KEYS"
_FIELD_IDS = frozenset(row[0] for row in wire.FIELDS)
EPOCH0_DAY_MAX = wire.UNIX_MAX_S // wire.EPOCH_S


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Policy(_Strict):
    """What messages under one version of the policy are judged by: {field id: step in wire units}, the finest
    location tier, whether health values are masked, and whether dates stand in a stream of their own
    (docs/wire-format.md)."""

    version: Annotated[int, Field(ge=0, le=wire.POLICY_VERSION_MAX)]
    fields: dict[int, Annotated[int, Field(ge=1)]]
    location_ceiling: Annotated[int, Field(ge=0, lt=len(wire.TIERS))]
    health_mask: bool = False
    split_dates: bool = False

    @model_validator(mode="after")
    def _known_fields(self) -> "Policy":
        if not self.fields.keys() <= _FIELD_IDS:
            raise ValueError("a field the wire format does not know")
        return self


class ConsentRecord(_Strict):
    """A grant: positions no finer than `tier` may be taken from `starts_s` until before `expires_s`. Its secret (hex)
    joins the keys of every position taken under it.

    notice: version of the notice that was given; who: gave it; policy: version it was given under; delegation and
    person: under which one and by whom it was made, 0 and None for the controller's own; revoked_s: when the
    controller took it back; receipted: the node's log says that it had it.
    """

    serial: Annotated[int, Field(ge=1)]
    tier: Annotated[int, Field(ge=1, lt=len(wire.TIERS))]
    starts_s: UnixS
    expires_s: UnixS
    purpose: Text
    secret: Annotated[Secret, Field(repr=False)]
    notice: Text
    who: Text
    issued_s: UnixS
    policy: Annotated[int, Field(ge=0, le=wire.POLICY_VERSION_MAX)]
    delegation: Annotated[int, Field(ge=0)] = 0
    person: Text | None = None
    revoked_s: UnixS | None = None
    receipted: bool = False


class Node(_Strict):
    """One node: its secrets (hex), and every policy version and consent it ever had."""

    name: Text
    tenant: Text
    epoch0_day: Annotated[int, Field(ge=0, le=EPOCH0_DAY_MAX)]
    k_id: Annotated[Secret, Field(repr=False)]
    k_chain: Annotated[Secret, Field(repr=False)]
    k_config: Annotated[Secret, Field(repr=False)]
    k_consent: Annotated[Secret, Field(repr=False)]
    policies: tuple[Policy, ...] = ()
    consents: tuple[ConsentRecord, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> "Node":
        if len({self.k_id, self.k_chain, self.k_config, self.k_consent}) < 4:
            raise ValueError("two of its secrets are the same")
        _unique([policy.version for policy in self.policies], "policy versions")
        _unique([consent.serial for consent in self.consents], "consent serials")
        _unique([consent.secret for consent in self.consents], "consent secrets")
        return self


class Registry(_Strict):
    """The key file's content."""

    version: Literal[1] = 1
    nodes: tuple[Node, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> "Registry":
        _unique([node.name for node in self.nodes], "node names")
        _unique([node.k_id for node in self.nodes], "id secrets")
        _unique([node.k_chain for node in self.nodes], "chain secrets")
        _unique([node.k_config for node in self.nodes], "configuration secrets")
        _unique([node.k_consent for node in self.nodes], "consent keys")
        return self


_NAMES = frozenset(name for model in (Registry, Node, Policy, ConsentRecord) for name in model.model_fields)


def _unique(values: list[int] | list[str], what: str) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"{what} repeat")


def load(path: Path) -> Registry:
    """Reads a key file. UsageError when it is missing, readable by others, or not what it should be."""
    try:
        # Opened once: what is checked is what is read.
        with path.open("rb") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise UsageError(f"{path} may be read by others than its owner; run: chmod 600 {path}")
            content = file.read()
    except OSError as error:
        raise UsageError(f"cannot read the key file {path}: {error.strerror}") from None
    try:
        return Registry.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        # What stands in the file in an entry's place is not repeated: it may be a secret.
        place = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part in _NAMES) or "file"
        raise UsageError(f"{path} is not a key file: {place}: {first['msg']}") from None


def find(messages: str, given: Path | None) -> Path:
    """The key file for messages at a path: the one given, or keys.json beside them or one folder up, or what
    the environment variable PLUMVEIL_KEYS names; for standard input, which lies beside nothing, that variable comes
    before the working folder. UsageError when there is none.
    """
    if given is not None:
        return given
    if messages == "-" and os.environ.get(KEYS_VARIABLE):
        return Path(os.environ[KEYS_VARIABLE])
    folder = Path(messages)
    try:
        if not folder.is_dir():
            folder = folder.parent
        for candidate in (folder / KEY_FILE, folder.resolve().parent / KEY_FILE):
            if candidate.is_file():
                return candidate
    except OSError as error:
        raise UsageError(f"cannot look for {KEY_FILE} beside the messages: {error.strerror}") from None
    if os.environ.get(KEYS_VARIABLE):
        return Path(os.environ[KEYS_VARIABLE])
    raise UsageError(f"no {KEY_FILE} beside the messages; give --keys FILE or set {KEYS_VARIABLE}")


def save(registry: Registry, path: Path) -> None:
    """Writes a key file whole or not at all, readable by its owner alone. UsageError when it cannot be written."""
    try:
        # mkstemp makes the file with mode 0600.
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UsageError(f"cannot write the key file {path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(registry.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        if isinstance(error, OSError):
            raise UsageError(f"cannot write the key file {path}: {error.strerror}") from None
        raise
