# Stand-in for `ntptime`: the world's true time, when the node has joined its access point and the world has a time
# server ("ntp" in the world's "network", true unless said otherwise).
import time as clock

import network
import world

ETIMEDOUT = 110

host = "pool.ntp.org"
timeout = 1


def time():
    # Seconds since 2000, as the ESP32 counts.
    if not network.link_up() or not network.settings().get("ntp", True):
        raise OSError(ETIMEDOUT)
    return world.current.now_ms // 1000 - clock.EPOCH_2000_S


def settime():
    # The protocol's answer is cut to whole seconds, so the clock is late by up to one.
    clock.set_unix_ms((time() + clock.EPOCH_2000_S) * 1000)
