# What node and host agree on about consent: grants, delegations, commands, the node's log and its receipts. Imports
# nothing, like wire.py, and is read by the host and the document generator as that is. Must never hold logic.

# --- COSE beside wire.py's (RFC 9052 section 3.1, RFC 9053 section 3.1) ---------------------------------------------
COSE_TAG_MAC0 = 17
COSE_HDR_IV = 5
COSE_ALG_HMAC_256 = 5  # HMAC-SHA256 with its whole tag

# --- labels of derivations: CBOR arrays --------------------------------------------------------------------------
# From K_consent, the node's consent key, which MACs nothing itself: the key of the controller's grants
# HMAC(K_consent, ["grant"]); of a delegate's HMAC(K_consent, ["delegation", caveats]), caveats being the array
# G_DELEGATION; the node's name in grants HMAC(K_consent, ["node", tenant]) cut to wire.PSEUDONYM_BYTES; the key of
# commands HKDF(K_consent, ["down", epoch]). From D[e]: the mask of a receipt, HKDF(D[e], ["receipt", tenant], salt,
# as long as the entry), which is xored.
L_GRANT = "grant"
L_DELEGATION = "delegation"
L_NODE = "node"
L_DOWN = "down"
L_RECEIPT = "receipt"

# --- grants: tagged COSE_Mac0 (RFC 9052 section 6.2), protected {1: 5}, unprotected {}, no external data ----------
# payload: map of G_*, deterministic CBOR
AHEAD_MAX_S = 900  # a grant's serial and date may be ahead of the node's clock by less
G_SERIAL = 1  # uint, seconds from wire.UNIX_MIN_S to when it was issued, more where that was used: only rises
G_TIER = 2
G_STARTS_S = 3
G_EXPIRES_S = 4
G_PURPOSE = 5  # tstr
G_SECRET = 6  # bstr 32, random, the consent's own: joins every key of the location stream
G_NODE = 7  # bstr, see L_NODE
G_TENANT = 8  # tstr
G_NOTICE = 9  # tstr, version of the notice that was given
G_WHO = 10  # tstr, who gave it
G_ISSUED_S = 11  # uint
G_POLICY = 12  # uint, policy version it was given under
G_DELEGATION = 13  # array of D_*, the caveats of who made it on the controller's behalf; absent: the controller
G_REASON = 14  # tstr, a delegate's
G_SEALED = 15  # bstr, a delegate's: the secret, sealed to the controller; the node only passes it on
D_ID = 0  # uint from 1
D_PERSON = 1  # tstr
D_SCOPE = 2  # tstr, the nodes or the group it was given for, in words: each node has a key of its own
D_TIER = 3  # finest
D_STARTS_S = 4
D_UNTIL_S = 5
D_PURPOSE = 6  # tstr, and the grant's has to be the same
D_NOTICE = 7  # tstr, likewise
D_POLICY = 8  # uint, likewise
TEXT_MAX = 64  # characters of a text in a grant
SEALED_MAX_BYTES = 128

# --- commands: tagged COSE_Encrypt0, protected {1: 31, 5: IV of 13 random bytes}, unprotected {} --------------------
# External data: CBOR ["down", tenant]. Plaintext: [kind, number]. What is done already is passed over without a word.
DOWN_REVOKE = 1  # number: serial; every consent up to it is taken back
DOWN_VOID = 2  # number: delegation; no grant under it is believed, and one in force is taken back
DOWN_MAX_BYTES = 128

# --- consent: the node's log, and why something is refused ----------------------------------------------------------
# An entry is the CBOR array [number from 1, SHA-256 of the entry before it (32 zero bytes before the first), kind,
# Unix s or null without a trusted clock, details]. Details by kind: granted: map of G_* without G_SECRET, G_NODE and
# G_TENANT; withdrawn: [serial, one of BY_*]; voided: [delegation]; expired: [serial]; insufficient: [serial, policy
# version]; policy: [version]; refused: [one of REFUSALS]. A receipt is a salt of RECEIPT_SALT_BYTES, then the entry
# under its mask.
LOG_GRANTED = 1
LOG_WITHDRAWN = 2
LOG_VOIDED = 3
LOG_EXPIRED = 4
LOG_INSUFFICIENT = 5
LOG_POLICY = 6
LOG_REFUSED = 7
LOG_KINDS = (
    (LOG_GRANTED, "granted"),
    (LOG_WITHDRAWN, "withdrawn"),
    (LOG_VOIDED, "voided"),
    (LOG_EXPIRED, "expired"),
    (LOG_INSUFFICIENT, "insufficient"),
    (LOG_POLICY, "policy"),
    (LOG_REFUSED, "refused"),
)
BY_TOOL = 1  # at the serial line
BY_BUTTON = 2
BY_CONTROLLER = 3  # over the downlink
BY_CUT = 4  # the supply went while it was taken back, and with it by whom
N_MALFORMED = 1
N_TENANT = 2
N_NODE = 3
N_FORGED = 4
N_DELEGATION = 5
N_VOIDED = 6
N_REPLAYED = 7
N_EXPIRED = 8
N_NOT_YET = 9
N_CEILING = 10
N_POLICY = 11
N_CLOCK = 12
REFUSALS = (
    (N_MALFORMED, "malformed"),  # cut off, no COSE_Mac0, parts missing or out of bounds
    (N_TENANT, "tenant"),  # of another tenant
    (N_NODE, "node"),  # of another node
    (N_FORGED, "forged"),  # its tag is not this node's controller's, nor a delegate's
    (N_DELEGATION, "delegation"),  # it goes beyond what was delegated
    (N_VOIDED, "voided"),  # its delegation was voided
    (N_REPLAYED, "replayed"),  # not newer than what was decided last
    (N_EXPIRED, "expired"),
    (N_NOT_YET, "not_yet"),
    (N_CEILING, "ceiling"),  # finer than the policy allows
    (N_POLICY, "policy"),  # given before the policy was widened
    (N_CLOCK, "clock"),  # the node has no trusted time to judge it by
)
RECEIPT_SALT_BYTES = 16
GRANT_MAX_BYTES = 768
ENTRY_MAX_BYTES = 768
VOIDS_MAX = 12  # delegations a node remembers as void; once there are so many, all below the lowest are void too
REFUSED_MAX = 4  # entries an epoch; further refusals are counted alone: they push no other entry out
