# Runs before main.py on every boot, and does as little as can be: chooses the folder that the firmware is taken from.
# Only reads; files as in plumveil.wire, which cannot be imported yet.
import gc
import sys


def _read(path):
    try:
        with open(path) as f:
            return f.read(2)
    except (OSError, ValueError):
        return ""


# Letter of the version on trial and the starts it has left; "" when there is none. main.py counts them.
on_trial = _read("/pv/trial")
if on_trial[1:] < "1":
    on_trial = ""
_slot = on_trial[:1] or _read("/pv/slot")
if _slot:
    sys.path.insert(0, "/pv/" + _slot[:1])
del _read, _slot
gc.collect()
