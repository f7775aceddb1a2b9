# Stands in for the ESP32 port's `esp`: what there is to know of the flash chip.
import world

LOG_NONE, LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_VERBOSE = range(6)


def osdebug(uart, level=LOG_ERROR):
    pass


def flash_size():
    return world.current.spec["flash_bytes"]
