# What the drivers' tests share: the fault that a read ends in, NMEA sentences, recordings as the stand-ins read them.

from plumveil.errors import SensorFault


def fault_of(sensor):
    # The text of the SensorFault that sensor.read() raises, or None.
    try:
        sensor.read()
    except SensorFault as e:
        return str(e)
    return None


def sentence(body, end="\r\n"):
    # An NMEA sentence with its checksum.
    check = 0
    for b in body.encode():
        check ^= b
    return b"$" + body.encode() + b"*%02X" % check + end.encode()


def record(*pairs):
    # A recording's or an index's file: big-endian (u32 seconds, 32-bit value).
    data = b""
    for pair in pairs:
        for word in pair:
            data += bytes((word >> 24 & 255, word >> 16 & 255, word >> 8 & 255, word & 255))
    return data
