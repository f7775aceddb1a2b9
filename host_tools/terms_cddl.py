"""CDDL (RFC 8610) of grants, delegations, commands and the node's log, made from plumveil.terms."""

from __future__ import annotations

from host_tools.receipts import entries
from plumveil import terms, wire

_TEXT = f"tstr .size (1..{4 * terms.TEXT_MAX})"  # .size counts bytes; characters are what is bounded
_NUMBER_MAX = 0x3FFFFFFF  # the node's small integers
_TIER = f"1..{len(wire.TIERS) - 1}"
_TIME = f"0..{wire.UNIX_MAX_S}"
_VERSION = f"0..{wire.POLICY_VERSION_MAX}"


def grant() -> str:
    """A grant: a tagged COSE_Mac0 (RFC 9052 section 6.2)."""
    return f"""\
grant = #6.{terms.COSE_TAG_MAC0}([
  protected: bstr .size 3,  ; grant-header, encoded: h'a1{wire.COSE_HDR_ALG:02x}{terms.COSE_ALG_HMAC_256:02x}'
  unprotected: {{}},
  payload: bstr .size (1..{terms.GRANT_MAX_BYTES}),  ; grant-payload, encoded
  tag: bstr .size 32,
])
"""


def grant_header() -> str:
    """A grant's protected header."""
    return f"""\
grant-header = {{
  {wire.COSE_HDR_ALG} => {terms.COSE_ALG_HMAC_256},  ; alg: HMAC 256/256
}}
"""


def grant_payload() -> str:
    """What the tag is over."""
    return f"""\
grant-payload = the-controllers / a-delegates

the-controllers = {{
{_given()}
{_kept()}
}}

a-delegates = {{
{_given()}
{_kept()}
{_delegated()}
}}

{_delegation()}"""


def command() -> str:
    """A command: a tagged COSE_Encrypt0."""
    return f"""\
command = #6.{wire.COSE_TAG_ENCRYPT0}([
  protected: bstr,  ; command-header, encoded
  unprotected: {{}},
  ciphertext: bstr .size ({wire.TAG_BYTES + 1}..{terms.DOWN_MAX_BYTES}),  ; command-plaintext, with its tag
])
"""


def command_header() -> str:
    """A command's protected header."""
    return f"""\
command-header = {{
  {wire.COSE_HDR_ALG} => {wire.COSE_ALG_AES_CCM_16_128_256},  ; alg: AES-CCM-16-128-256
  {terms.COSE_HDR_IV} => bstr .size {wire.NONCE_BYTES},  ; IV, random
}}
"""


def command_plaintext() -> str:
    """What a command says."""
    return f"""\
command-plaintext = [
  kind: {terms.DOWN_REVOKE}..{terms.DOWN_VOID},
  number: uint,  ; {terms.DOWN_REVOKE}, revoke: serial, every consent up to it; {terms.DOWN_VOID}, void: delegation
]
"""


def entry() -> str:
    """An entry of the node's log."""
    kinds = dict(terms.LOG_KINDS)
    shapes = [(name, kind, _DETAILS[kind]) for kind, name in kinds.items()]
    shapes.insert(1, ("granted-by-a-delegate", terms.LOG_GRANTED, "a-delegates"))
    bodies = "\n".join(
        f"{name} = [number: place, before: hash, kind: {kind}, time: node-time, details: {details}]"
        for name, kind, details in shapes
    )
    return f"""\
entry = {" / ".join(name for name, _, _ in shapes)}

{bodies}

place = 1..{_NUMBER_MAX}
hash = bstr .size 32  ; SHA-256 of the entry before, zeros in the first
node-time = {wire.UNIX_MIN_S}..{wire.UNIX_MAX_S} / null  ; Unix seconds, null without a trusted clock
by = {_range(list(entries.WITHDRAWN_BY))}
reason = {_range([number for number, _ in terms.REFUSALS])}

the-controllers = {{
{_given()}
}}

a-delegates = {{
{_given()}
{_delegated()}
}}

{_delegation()}"""


def _given() -> str:
    rows = (
        (
            terms.G_SERIAL,
            f"1..{_NUMBER_MAX}",
            f"serial: seconds from {wire.UNIX_MIN_S} to its issue, or more: only rises",
        ),
        (terms.G_TIER, _TIER, "finest tier"),
        (terms.G_STARTS_S, _TIME, "starts, Unix seconds"),
        (terms.G_EXPIRES_S, _TIME, "expires"),
        (terms.G_PURPOSE, _TEXT, "purpose"),
        (terms.G_NOTICE, _TEXT, "version of the notice"),
        (terms.G_WHO, _TEXT, "who gave it"),
        (terms.G_ISSUED_S, _TIME, "issued"),
        (terms.G_POLICY, _VERSION, "policy version it was given under"),
    )
    return "\n".join(f"  {key} => {kind},  ; {what}" for key, kind, what in rows)


def _kept() -> str:
    return f"""\
  {terms.G_SECRET} => bstr .size {wire.KEY_BYTES},  ; secret, random
  {terms.G_NODE} => bstr .size {wire.PSEUDONYM_BYTES},  ; the node's name in its grants
  {terms.G_TENANT} => {_TEXT},"""


def _delegated() -> str:
    return f"""\
  {terms.G_DELEGATION} => delegation,
  {terms.G_REASON} => {_TEXT},  ; reason
  {terms.G_SEALED} => bstr .size (1..{terms.SEALED_MAX_BYTES}),  ; the secret, sealed to the controller"""


def _delegation() -> str:
    return f"""\
delegation = [
  id: 1..{_NUMBER_MAX},
  person: {_TEXT},
  scope: {_TEXT},
  tier: {_TIER},
  starts: {_TIME},
  until: {_TIME},
  purpose: {_TEXT},
  notice: {_TEXT},
  policy: {_VERSION},
]
"""


def _range(numbers: list[int]) -> str:
    if numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise AssertionError("numbers are no range any more: write them as a choice")
    return f"{numbers[0]}..{numbers[-1]}"


_DETAILS = {
    terms.LOG_GRANTED: "the-controllers",
    terms.LOG_WITHDRAWN: "[serial: uint, by: by]",
    terms.LOG_VOIDED: "[id: uint]",
    terms.LOG_EXPIRED: "[serial: uint]",
    terms.LOG_INSUFFICIENT: f"[serial: uint, version: {_VERSION}]",
    terms.LOG_POLICY: f"[version: {_VERSION}]",
    terms.LOG_REFUSED: "[reason: reason]",
}
