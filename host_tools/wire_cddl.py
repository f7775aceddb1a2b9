"""CDDL (RFC 8610) of the wire format, made from plumveil.wire; docs/wire-format.md says what CDDL cannot."""

from __future__ import annotations

from plumveil import terms, wire


def message() -> str:
    """The message: a tagged COSE_Encrypt0 (RFC 9052 section 5.2)."""
    return f"""\
message = #6.{wire.COSE_TAG_ENCRYPT0}([
  protected: bstr,  ; the protected header, encoded
  unprotected: {{}},
  ciphertext: bstr .size ({wire.PAD_BLOCK_BYTES}..{wire.MESSAGE_MAX_BYTES}),  ; with its tag of {wire.TAG_BYTES} bytes
])
"""


def protected() -> str:
    """What the message's protected header holds."""
    return f"""\
protected-header = {{
  {wire.COSE_HDR_ALG} => {wire.COSE_ALG_AES_CCM_16_128_256},                 ; alg: AES-CCM-16-128-256
  {wire.COSE_HDR_KID} => bstr .size {wire.PSEUDONYM_BYTES},          ; kid: pseudonym of the stream in this epoch
  {wire.COSE_HDR_PARTIAL_IV} => bstr .size (1..{wire.PARTIAL_IV_MAX_BYTES}),     ; Partial IV
  {wire.HDR_PLUMVEIL} => [
    wire-version: {wire.WIRE_VERSION},
    step: 0..{wire.EPOCH_S // wire.STEP_S - 1},            ; hour of the epoch
    policy-version: 0..{wire.POLICY_VERSION_MAX},
    boot-salt: bstr .size {wire.BOOT_SALT_BYTES},
  ],
}}
"""


def plaintext() -> str:
    """The plaintexts, chosen by the stream that the kid belongs to."""
    common = f"""\
  ? {wire.K_PAD} => bstr,               ; zeros
  {wire.K_TIME} => {wire.UNIX_MIN_S}..{wire.UNIX_MAX_S} / 0..{wire.EPOCH_S - 1},  ; Unix s, or s of the day"""
    return f"""\
plaintext = {" / ".join(wire.STREAMS)}

readings = {{
{common}
  {wire.K_INTERVAL} => 1..{wire.INTERVAL_MAX_S},            ; seconds between readings
  {wire.K_COUNT} => 1..{wire.BATCH_MAX},              ; readings
  {wire.K_FIELDS} => [+ reading-field],  ; the columns, ascending
  {wire.K_COLUMNS} => bstr,               ; the column code, see below
}}

location = {{
{common}
  {wire.K_CELL} => [tier: 1..{len(wire.TIERS) - 1}, row: uint, column: uint],
  {wire.K_CONSENT} => bstr .size {wire.CONSENT_REF_BYTES},     ; reference of the consent in this epoch
}}

device = {{
{common}
  {wire.K_HEALTH} => {{          ; masked where the policy says so
{_health()}  }},
  {wire.K_DROPS} => [         ; counts, masked likewise
{_drops()}  ],
}}

{_events(common)}
dates = {{
  ? {wire.K_PAD} => bstr,
  {wire.K_TIME} => {wire.UNIX_MIN_S}..{wire.UNIX_MAX_S},  ; 00:00 UTC of the day
  {wire.K_NAMES} => [{_names()}],  ; the streams' pseudonyms in this epoch
}}

{_reading_fields()}
{_choice("event", [(code, name) for code, name, _ in wire.EVENT_NAMES if code not in _SHAPED])}
{_choice("log-kind", list(terms.LOG_KINDS))}"""


def _events(common: str) -> str:
    return f"""\
events = alarm-or-state / no-consent / consent / receipt

alarm-or-state = {{
{common}
  {wire.K_EVENT} => event,
  {wire.K_ARGUMENT} => int,
}}

no-consent = {{
{common}
  {wire.K_EVENT} => {wire.E_CONSENT},
  {wire.K_ARGUMENT} => {wire.TIER_OFF},
}}

consent = {{
{common}
  {wire.K_EVENT} => {wire.E_CONSENT},
  {wire.K_ARGUMENT} => 1..{len(wire.TIERS) - 1},  ; tier
  {wire.K_CONSENT} => bstr .size {wire.CONSENT_REF_BYTES},  ; reference that the epoch's positions carry
}}

receipt = {{
{common}
  {wire.K_EVENT} => {wire.E_RECEIPT},
  {wire.K_ARGUMENT} => log-kind,
  {wire.K_RECEIPT} => bstr .size ({terms.RECEIPT_SALT_BYTES + 1}..{terms.RECEIPT_SALT_BYTES + terms.ENTRY_MAX_BYTES}),
}}
"""


_SHAPED = (wire.E_CONSENT, wire.E_RECEIPT)  # events that bring more than an argument, or may


def _names() -> str:
    return ", ".join(f"{name}: bstr .size {wire.PSEUDONYM_BYTES}" for name in wire.STREAMS[: wire.DATES])


def _reading_fields() -> str:
    rows = [row for row in wire.FIELDS if row[2] == wire.READINGS]
    ids = [row[0] for row in rows]
    if ids != list(range(ids[0], ids[-1] + 1)):
        raise AssertionError("reading fields are no range any more: write them as a choice")
    names = "".join(f"  ; {row[0]} {row[1]}\n" for row in rows)
    return f"reading-field = {ids[0]}..{ids[-1]}\n{names}"


def _choice(name: str, members: list[tuple[int, str]]) -> str:
    lines = [
        f"  {number}{' /' if place < len(members) - 1 else ''}  ; {what}"
        for place, (number, what) in enumerate(members)
    ]
    return f"{name} =\n" + "\n".join(lines) + "\n"


def _health() -> str:
    return "".join(
        f"    ? {row[0]} => {_bounds(row[4], row[5])}{row[1]}\n" for row in wire.FIELDS if row[2] == wire.DEVICE
    )


def _drops() -> str:
    names = dict(wire.RULES)
    return "".join(f"    0..{wire.DROPS_MAX},  ; {names[rule]}\n" for rule in wire.RULES_SENT)


def _bounds(low: int, high: int) -> str:
    # Checkers differ on ranges that begin below zero.
    return f"{low}..{high},  ; " if low >= 0 else f"int .ge {low},  ; at most {high}: "
