# A type per trust level, so that a stage cannot be skipped by mistake: Reading and Fix are raw and never leave RAM,
# Coarse has passed the filter, Record also has its epoch, Sealed is a message. pack takes nothing but a Record, store
# and uplink nothing but a Sealed.


class Reading:
    # Raw: what sensors gave at t_s (Unix s). values: {field id: int in the raw unit of wire.FIELDS}.
    def __init__(self, t_s, values):
        self.t_s = t_s
        self.values = values


class Fix:
    # Raw: a position at t_s (Unix s), in 1e-6 degree.
    def __init__(self, t_s, lat_e6, lon_e6):
        self.t_s = t_s
        self.lat_e6 = lat_e6
        self.lon_e6 = lon_e6


class Coarse:
    # Filtered. values: readings and device {field id: int in wire units}; location and events {K_*: ...}.
    def __init__(self, stream, t_s, values):
        self.stream = stream
        self.t_s = t_s
        self.values = values


class Record:
    # Filtered and assigned to a pseudonym epoch.
    def __init__(self, stream, epoch, t_s, values):
        self.stream = stream
        self.epoch = epoch
        self.t_s = t_s
        self.values = values


class Sealed:
    # A COSE_Encrypt0 message and what it takes to deliver it. pseudonym, session: 8 bytes.
    def __init__(self, stream, epoch, pseudonym, session, message):
        self.stream = stream
        self.epoch = epoch
        self.pseudonym = pseudonym
        self.session = session
        self.message = message
