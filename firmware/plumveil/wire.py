# THE wire format: streams, fields, units, resolutions, labels, limits, topics. Imports nothing, so that the node,
# the host and the document generator read the same numbers. docs/wire-format.md is generated from this file.
# Must never hold logic beyond table look-ups.

WIRE_VERSION = 1

# --- COSE (RFC 9052; labels and algorithms from RFC 9052 section 3.1 and RFC 9053 section 4.2) -----------------
COSE_TAG_ENCRYPT0 = 16
COSE_HDR_ALG = 1
COSE_HDR_KID = 4
COSE_HDR_PARTIAL_IV = 6
COSE_ALG_AES_CCM_16_128_256 = 31
HDR_PLUMVEIL = -65537  # private use (< -65536): [wire version, step, policy version, salt of boot, epoch and stream]
KEY_BYTES = 32
TAG_BYTES = 16
NONCE_BYTES = 13
PSEUDONYM_BYTES = 8
BOOT_SALT_BYTES = 16
PARTIAL_IV_MAX_BYTES = 5
PARTIAL_IV_MAX = 0xFFFFFF  # highest a node uses; counters restart with the epoch only
CONSENT_REF_BYTES = 8
POLICY_VERSION_MAX = 0xFFFF
PAD_BLOCK_BYTES = 32  # ciphertext with its tag is a multiple of this
MESSAGE_MAX_BYTES = 1024  # no message is longer; a decoder refuses more before it looks at it
CBOR_DEPTH_MAX = 4  # deepest nesting on the wire, tag not counted

# --- time ------------------------------------------------------------------------------------------------------
EPOCH_S = 86400  # one pseudonym epoch; epochs change at 00:00 UTC
STEP_S = 3600  # one ratchet step inside an epoch
EPOCH_JUMP_MAX = 400  # epochs that a clock set forward may skip at once: a year in a drawer, and no more
EPOCHS_AHEAD_MAX = 400  # epochs a node may run ahead of the calendar once its clock was set back again
UNIX_MIN_S = 1767225600  # 2026-01-01T00:00:00Z, no reading is older
UNIX_MAX_S = 4102444800  # 2100-01-01T00:00:00Z

# --- streams: sealed under separate keys, queued, retained and granted separately ------------------------------
READINGS = 0
LOCATION = 1
DEVICE = 2
EVENTS = 3
DATES = 4
STREAMS = ("readings", "location", "device", "events", "dates")
STREAM_COUNT = len(STREAMS)

# --- plaintext map keys ----------------------------------------------------------------------------------------
# Common to all streams.
K_TIME = 1  # uint, Unix seconds of the first reading, or of the one thing reported
K_PAD = 0  # bstr of zeros, see PAD_BLOCK_BYTES; absent when nothing is to be padded
# readings
K_INTERVAL = 2  # uint, nominal seconds between readings
K_COUNT = 3  # uint, readings in the batch
K_FIELDS = 4  # [+ uint], field ids of the columns, ascending
K_COLUMNS = 5  # bstr, the columns, bit-packed
# location
K_CELL = 6  # [tier, row, column]
K_CONSENT = 7  # bstr of CONSENT_REF_BYTES: HMAC(D[e], ["consent", tenant, serial]) cut, of the consent's serial
# device
K_HEALTH = 8  # {* field id => int}, masked where the policy says so: see L_HEALTH
K_DROPS = 11  # [uint per rule of RULES_SENT], dropped since the last report, up to DROPS_MAX; masked likewise
# events
K_EVENT = 9  # uint, one of EVENT_NAMES
K_ARGUMENT = 10  # int, meaning depends on the event
K_RECEIPT = 12  # bstr beside E_RECEIPT: an entry of the node's log, masked: see plumveil.terms
# beside E_CONSENT with a tier: K_CONSENT
# dates, for a policy that splits them off (P_SPLIT_DATES): every K_TIME of the other streams is then seconds since
# the day's 00:00 UTC, and one message an epoch says in this stream which day that was
K_NAMES = 13  # [bstr of PSEUDONYM_BYTES per other stream]: whose times these are; K_TIME: the day's 00:00 UTC

BATCH_MAX = 60
INTERVAL_MAX_S = 3600

# --- fields: (id, name, stream, raw per unit, lowest, highest, SenML unit, SenML scale as (numerator, denominator))
# Raw values are integers in the unit their driver's name states (m = 1/1000); one wire unit is the sensor's
# accuracy, not its resolution: digits below it are noise that costs bytes and makes a fingerprint.
F_TEMPERATURE = 1
F_HUMIDITY = 2
F_SHOCK_PEAK = 3
F_BATTERY = 4
F_PROBE_TEMPERATURE = 5
F_UPTIME = 16
F_HEAP_FREE = 17
F_RSSI = 18
F_QUEUE = 19
F_RESET_CAUSE = 20
F_SENSOR_FAULTS = 21
F_SELF_TEST = 22

FIELDS = (
    (F_TEMPERATURE, "temperature", READINGS, 100, -550, 1250, "Cel", (1, 10)),  # raw mdegC -> 0.1 degC
    (F_HUMIDITY, "humidity", READINGS, 500, 0, 200, "%RH", (1, 2)),  # raw m%RH -> 0.5 %RH
    (F_SHOCK_PEAK, "shock_peak", READINGS, 100, 0, 160, "m/s2", (980665, 1000000)),  # raw mg -> 0.1 g
    (F_BATTERY, "battery", READINGS, 20, 0, 300, "V", (1, 50)),  # raw mV -> 20 mV
    (F_PROBE_TEMPERATURE, "probe_temperature", READINGS, 100, -550, 1250, "Cel", (1, 10)),  # raw mdegC -> 0.1 degC
    (F_UPTIME, "uptime", DEVICE, 3600, 0, 24, "s", (3600, 1)),  # raw s since boot or epoch start -> h
    (F_HEAP_FREE, "heap_free", DEVICE, 8192, 0, 512, "B", (8192, 1)),  # raw bytes -> 8 KiB
    (F_RSSI, "rssi", DEVICE, 10, -12, 0, "dBm", (10, 1)),  # raw dBm -> 10 dBm
    (F_QUEUE, "queue", DEVICE, 1, 0, 4095, "count", (1, 1)),  # raw messages waiting
    (F_RESET_CAUSE, "reset_cause", DEVICE, 1, 0, 15, "count", (1, 1)),  # machine.reset_cause()
    (F_SENSOR_FAULTS, "sensor_faults", DEVICE, 1, 0, 255, "count", (1, 1)),  # faults since the last report
    (F_SELF_TEST, "self_test", DEVICE, 1, 0, 7, "count", (1, 1)),  # bits of SELF_TESTS failed at an earlier boot
)

# --- location tiers: (name, nominal cell size in metres); index 0 is off ----------------------------------------
TIER_OFF = 0
TIERS = (("off", 0), ("region", 100000), ("district", 10000), ("area", 1000), ("street", 200))
POSITION_TIME_S = 300  # a position's time is rounded down to this

# --- what is dropped, and why ----------------------------------------------------------------------------------
R_NOT_ON_LIST = 1
R_OUT_OF_RANGE = 2
R_NO_CONSENT = 3
R_NO_FIX = 4
R_BAD_SENTENCE = 5
R_SAME_CELL = 6
R_SENSOR_FAULT = 7
R_CLOCK = 8
R_QUEUE_FULL = 9
R_MISSED = 10
R_DAMAGED = 11
R_KEYS = 12
R_REFUSED = 13
R_EXPIRED = 14
R_NOT_NOW = 15
R_ZONE = 16
R_BUDGET = 17
RULES = (
    (R_NOT_ON_LIST, "not_on_list"),  # a field the policy does not name
    (R_OUT_OF_RANGE, "out_of_range"),  # outside FIELDS' limits
    (R_NO_CONSENT, "no_consent"),  # a position was due and consent is off: the receiver was not read
    (R_NO_FIX, "no_fix"),  # the receiver had no valid fix in time
    # NMEA with a wrong checksum, cut, overlong or not understood; and a u-blox that did not confirm its settings
    (R_BAD_SENTENCE, "bad_sentence"),
    (R_SAME_CELL, "same_cell"),  # the cell did not change
    (R_SENSOR_FAULT, "sensor_fault"),  # absent, timed out, bad CRC
    (R_CLOCK, "clock"),  # no trusted time, or one that ran back over midnight
    (R_QUEUE_FULL, "queue_full"),  # a message that the queue's bound forced out
    (R_MISSED, "missed"),  # a reading whose time passed while the node was busy
    (R_DAMAGED, "damaged"),  # a queued message that flash did not give back whole
    (R_KEYS, "keys"),  # could not be sealed: key state not committed, counter at its end, self-test failed
    (R_REFUSED, "refused"),  # a grant or a command that was not believed, see terms.REFUSALS
    (R_EXPIRED, "expired"),  # a queued message older than the policy keeps its stream
    # a position was due outside the policy's hours, without an alarm, or in a slot that had one told already
    (R_NOT_NOW, "not_now"),
    (R_ZONE, "zone"),  # a position in one of the policy's zones
    (R_BUDGET, "budget"),  # a moved position beyond what the policy lets out in a day
)

# --- known-answer tests at boot: bits of F_SELF_TEST ---------------------------------------------------------------
SELF_TESTS = ("hmac", "hkdf", "ccm")

# --- events: (code, name, what K_ARGUMENT carries) ---------------------------------------------------------------
E_TEMPERATURE_HIGH = 2
E_TEMPERATURE_LOW = 3
E_SHOCK = 4
E_CONSENT = 5
E_EPOCHS_AHEAD = 6
E_RECEIPT = 7
E_NO_ROUTE = 8
EVENT_NAMES = (
    (E_TEMPERATURE_HIGH, "temperature_high", "temperature in wire units"),
    (E_TEMPERATURE_LOW, "temperature_low", "temperature in wire units"),
    (E_SHOCK, "shock", "shock peak in wire units"),
    (E_CONSENT, "consent", "tier now in force"),
    (E_EPOCHS_AHEAD, "epochs_ahead", "epochs the node now runs ahead of the calendar: burned by a clock set forward"),
    (E_RECEIPT, "receipt", "what the entry of the node's log is about, see terms.LOG_KINDS"),
    (E_NO_ROUTE, "no_route", "days begun without a way that is permitted; 0 where the policy splits dates off"),
)

# --- column code (readings) --------------------------------------------------------------------------------------
# Per column, most significant bit first: 1 bit "some missing"; if set, a bit of presence a reading; 4 bits Rice
# parameter k, or RICE_CONSTANT: no differences follow, all are zero; first present value minus the field's lowest,
# in the bits its range needs; then per further present value the zigzag difference u as u >> k ones (at most
# RICE_ESCAPE), a zero, k low bits; after RICE_ESCAPE ones no zero follows but u in the bits of twice the range.
# Zero bits fill the last byte. A column with no value present has only its presence bits.
RICE_CONSTANT = 15
RICE_ESCAPE = 15
RICE_K_MAX = 14

# --- MQTT --------------------------------------------------------------------------------------------------------
TOPIC_PREFIX = "pv/1/"  # then the stream's letter, "/", the pseudonym in lower-case hex
TOPIC_LETTERS = "rldet"  # by stream
TOPIC_DOWN = "c"  # in place of the letter: commands to the node, under its client id of the epoch; retained

# --- key derivation labels: always CBOR arrays, never joined strings ----------------------------------------------
# C, S, D: see docs/wire-format.md. Health mask: M = HMAC(D[e], ["health", tenant, time of the report]); a report's
# value of the n-th DEVICE row of FIELDS (from 0) is sent as low + (value - low + m) mod (high - low + 1), m the four
# bytes of M from 4n on, big-endian. The n-th count of K_DROPS is sent as (count + m) mod 65536, m the two bytes from
# 2n on of HMAC(D[e], ["drops", tenant, time of the report]). Only who holds D[e], the controller, can take these off.
L_NEXT = "next"
L_STREAM = "stream"
L_STEP = "step"
L_SEAL = "seal"
L_ID = "id"
L_SESSION = "session"
L_SALT = "salt"
L_CONSENT = "consent"  # with the epoch: what joins a location secret; with tenant and serial: the reference sent
L_HEALTH = "health"
L_DROPS = "drops"
L_HOST = "host"  # DHCP host name of an epoch
L_BOOT = "boot"  # node only: secret of one boot, of pool and fresh random bytes
L_POOL = "pool"  # node only: the next boot's pool
L_PLACE = "place"  # node only: HKDF(K_consent, ["place"]), what positions are moved by; see plumveil.scatter

# --- drops whose number leaves; that of the others follows the receiver's input, and only a cell may (P3) ----------
RULES_SENT = (
    R_NOT_ON_LIST,
    R_OUT_OF_RANGE,
    R_NO_CONSENT,
    R_SENSOR_FAULT,
    R_CLOCK,
    R_QUEUE_FULL,
    R_MISSED,
    R_DAMAGED,
    R_KEYS,
    R_REFUSED,
    R_EXPIRED,
)
DROPS_MAX = 0xFFFF

# --- the node's keys: one slot in force, in a flash area of blocks of its own (see plumveil.vault) -----------------
# slot: length of what follows as u16, then CBOR [body bstr, SHA-256(body) cut to 8 bytes]; body: map of S_*.
KEYS_PARTITION = "pv_keys"  # label of the flash partition
KEYS_BLOCK_BYTES = 4096  # one erase unit of the flash
SLOT_MAX_BYTES = 768
CHECK_BYTES = 8
S_GENERATION = 1  # uint, one more with every commit
S_TENANT = 2  # tstr
S_EPOCH0_DAY = 3  # uint, Unix day of epoch 0
S_K_CONFIG = 4  # bstr 32, authenticates the configuration
S_EPOCH = 5  # uint, epoch in force
S_STEP = 6  # uint, step in force
S_CHAIN = 7  # bstr 32, C of the epoch after
S_NAMES = 8  # bstr 32, D of the epoch in force
S_STREAMS = 9  # [bstr 32 per stream], S of epoch and step in force
S_COUNTERS = 10  # [uint per stream], the first partial IV that may not be used yet
S_AHEAD = 11  # uint, epochs ahead of the calendar
S_POOL = 12  # bstr 32, goes into each boot's secret, and is another with each
S_CONFIG = 13  # uint, version of the configuration that ran last: none below is believed
S_K_CONSENT = 14  # bstr 32, what grants and commands hang on
S_SERIAL = 15  # uint, the newest consent decided on, given or taken back: none up to it is believed
S_GRANT = 16  # null, or the consent in force: [serial, tier, start s, end s, secret, policy version, delegation or 0]
S_VOIDS = 17  # [* uint], delegations that are void, ascending; see terms.VOIDS_MAX
S_LOG_COUNT = 18  # uint, entries of the log so far
S_LOG_HASH = 19  # bstr 32, of the last one; zeros before the first
S_POLICY = 20  # uint, version of the policy that the log named last

# --- the node's files: CBOR made by the host at provisioning, read by plumveil.config ------------------------------
# config: [body bstr, HMAC-SHA256(k_config, body)].
FOLDER_KEYS = "/pv/k"  # stands in for KEYS_PARTITION where the flash has none: a file a block
FILE_CONFIG = "/pv/config.bin"
CONFIG_STARTS = 3  # a new configuration is FILE_CONFIG + ".3": starts left in which to run one good step
FILE_BOARD = "/pv/board.bin"  # C_BOARD's map, as flashed: for switching the position receiver off, and no more
FILE_NEXT = "/pv/next.bin"  # a configuration that comes into force at its C_FROM_S
# What was reported last: [consent serial, tier, row, column, Unix s its slot began, how many that UTC day].
FILE_CELL = "/pv/cell.bin"
FILE_OFF = "/pv/off"  # stands in for the withdrawal's mark in the slot's block where keys lie in files
FILE_ENTRY = "/pv/entry.bin"  # [* bstr], entries whose receipt is not queued yet, or that the log file does not have
FILE_LOG = "/pv/log.bin"  # CBOR sequence of entries; what was before it is FILE_LOG + ".old"
LOG_MAX_BYTES = 8192
FILE_SELF_TEST = "/pv/selftest.bin"  # one byte, the bits that failed; gone once reported
FOLDER_QUEUE = "/pv/q"
FOLDER_SLOT = "/pv/"  # then the slot's letter: one version of the firmware; boot.py has these names too
SLOTS = "ab"
FILE_SLOT = "/pv/slot"  # the letter of the slot in force
FILE_TRIAL = "/pv/trial"  # letter of the slot on trial, and its starts left in which to run one good step
TRIAL_STARTS = 3
C_VERSION = 1  # uint, only rises
C_POLICY = 2  # map of P_*
C_FROM_S = 3  # uint, Unix s from which it may be in force; absent: at once
C_BROKER = 4  # [host tstr, port uint, CA certificate in DER as bstr, or null: plain TCP, loopback only]
C_WIFI = 5  # [ssid tstr, key tstr]
C_BOARD = 6  # {* name tstr => uint}: GPIO numbers and the board's constants, see boards/*/board.toml
C_SENSORS = 7  # [* name tstr]
C_POWER = 8  # POWER_*
C_ROUTE_UNTIL_S = 9  # uint, Unix s at which the safeguard of the transfer ends: nothing is sent after; absent: never
POWER_MAINS = 0
POWER_BATTERY = 1  # light sleep between steps, radio off
P_VERSION = 1  # uint
P_FIELDS = 2  # {+ field id => step in wire units, >= 1}
P_LOCATION_CEILING = 3  # finest tier allowed
P_SAMPLE_S = 4
P_POSITION_S = 5
P_DEVICE_S = 6
P_UPLOAD_S = 7
P_BATCH_MAX = 8
P_HEALTH_MASK = 10  # bool, K_HEALTH's values are masked
P_LIMITS = 9  # [lowest temperature, highest temperature, shock] in wire units; absent: no alarms
# When positions may be taken; absent: always. [offset from UTC in minutes, weekdays as bits from Monday = 1, minute
# of the day it begins, minute it ends: up to 1440, and past midnight when it ends before it begins]
P_SCHEDULE = 11
P_ALARM_ONLY = 12  # bool, positions only at and during an alarm; absent: no
P_ZONES = 13  # [* [tier, row, column]], cells in which no position is reported
P_RETENTION = 14  # [days per stream] that a message is kept on the node
P_WIDENED = 15  # uint, version of the policy that last widened anything: older grants do not suffice
P_SPLIT_DATES = 16  # bool, see DATES; absent: no
P_SCATTER_M = 17  # scale of the noise by which positions are moved before they become cells; absent: not moved
P_SCATTER_DAY = 18  # moved positions told in a UTC day at most; absent: none
ZONES_MAX = 16
SCATTER_MAX_M = 20000
SCATTER_DAY_MAX = 288
RETENTION_MAX_DAYS = 400
