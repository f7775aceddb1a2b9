# Stand-in for the ESP32's `network`: one Wi-Fi station whose access point comes and goes as the world says. Its spec
# may have "network": {"ssid", "bssid" in hex, "rssi_dbm", "outages": [[from_s, to_s], ...] in seconds after the
# world's start, "ntp": whether there is a time server}. Portable: CPython, the VM, unix MicroPython. Nothing here
# reaches a real network.
from binascii import unhexlify

import world

STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
AUTH_WPA2_PSK = 3
STA_IF = 0
AP_IF = 1

ASSOCIATE_MS = 1500  # from the call, or from the access point's return, to an address
HOSTNAME = "mpy-esp32"  # until the node sets another, at every boot
HOSTNAME_MAX = 32

_DEFAULTS = {"ssid": "depot", "bssid": "02fedcba9876", "rssi_dbm": -58}


def settings():
    # For the stand-ins beside this one as well.
    return world.current.spec.get("network", {})


def _setting(name):
    return settings().get(name, _DEFAULTS[name])


def link_up():
    return _station.isconnected()


def hostname(name=None):
    """The name that the next joining tells the network; one that is up keeps the old."""
    _station.look()
    if name is None:
        return _station.hostname
    if len(name) > HOSTNAME_MAX:
        raise ValueError
    _station.hostname = name
    return None


class WLAN:
    IF_STA = STA_IF
    IF_AP = AP_IF
    SEC_WPA2 = AUTH_WPA2_PSK
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    def __new__(cls, interface=STA_IF):
        # There is one station, whoever asks for it.
        if interface != STA_IF:
            raise ValueError("stand-in: station only")
        return _station


class _Station:
    def __init__(self):
        self._boot = None
        self.hostname = HOSTNAME
        self._power_off()

    def _power_off(self):
        self._active = False
        self._ssid = None
        self._asked_ms = 0

    def look(self):
        # The world around; nothing lasts over a boot.
        around = world.current
        if (around, around.boots) != self._boot:
            self._boot = (around, around.boots)
            self.hostname = HOSTNAME
            self._power_off()
        return around

    def _time(self):
        # (ms since the world began, ms that the access point has been there or None while it is not)
        around = self.look()
        now_ms = around.elapsed_ms
        since_ms = -ASSOCIATE_MS
        for from_s, to_s in settings().get("outages", ()):
            if from_s * 1000 <= now_ms < to_s * 1000:
                return now_ms, None
            if to_s * 1000 <= now_ms:
                since_ms = max(since_ms, to_s * 1000)
        return now_ms, now_ms - since_ms

    def active(self, is_active=None):
        self._time()
        if is_active is None:
            return self._active
        if is_active:
            self._active = True
        else:
            self._power_off()
        return self._active

    def connect(self, ssid=None, key=None, bssid=None):
        now_ms = self._time()[0]
        if not self._active:
            raise OSError("Wifi Not Started")
        self._ssid = ssid or self._ssid
        self._asked_ms = now_ms
        world.current.host_names.append([now_ms, self.hostname])

    def disconnect(self):
        self._ssid = None

    def isconnected(self):
        now_ms, present_ms = self._time()
        if present_ms is None or not self._active or self._ssid != settings().get("ssid", self._ssid or ""):
            return False
        return min(now_ms - self._asked_ms, present_ms) >= ASSOCIATE_MS

    def status(self, what=None):
        if what == "rssi":
            if not self.isconnected():
                raise OSError("STA not connected")
            return _setting("rssi_dbm")
        if what is not None:
            raise ValueError("unknown status param")
        if self.isconnected():
            return STAT_GOT_IP
        if not self._active or self._ssid is None:
            return STAT_IDLE
        return STAT_NO_AP_FOUND if self._time()[1] is None else STAT_CONNECTING

    def config(self, what=None, **changes):
        if changes:
            if "hostname" in changes:
                hostname(changes["hostname"])
            return None
        if what == "mac":
            return world.current.mac()
        if what == "ssid":
            return self._ssid or ""
        if what == "hostname":
            return hostname()
        raise ValueError("unknown config param")

    def ifconfig(self, values=None):
        up = self.isconnected()
        return ("192.168.4.20", "255.255.255.0", "192.168.4.1", "192.168.4.1") if up else ("0.0.0.0",) * 4

    def scan(self):
        if not self._active:
            raise OSError("STA must be active")
        if self._time()[1] is None:
            return []
        bssid, rssi_dbm = unhexlify(_setting("bssid")), _setting("rssi_dbm")
        return [(_setting("ssid").encode(), bssid, 6, rssi_dbm, AUTH_WPA2_PSK, False)]


_station = _Station()
