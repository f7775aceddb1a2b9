# What an ESP32 does between its reset and the prompt: the port's modules in place, the file system mounted or made,
# then boot.py and main.py. Leaves no trace of itself where a user's code looks: file tree, sys.path, __main__.
import gc
import json

import _vm
import micropython
import usys
import vfs

FORCED_EXIT, FAILED, PASSED = 0x100, 0, 1  # as in the port's pyexec.h
CTRL_C = 3
DATA = 1
PORT = ("machine", "esp32", "esp", "network", "onewire", "cryptolib", "umqtt.simple", "socket", "ssl", "ntptime")
PORT += ("time", "os")
OWN = ("sys", "micropython")  # built in, so that a file of that name would not be found
INSIDE = ("world", "around", "lfs", "_aes", "_sys", "_micropython", "_board", "_vm")
DAMAGED = """\
The filesystem appears to be corrupted. Nothing of it was changed: its bytes can
still be read from the flash. To go on, erase the whole flash and program the
firmware again.
"""
BOOT_PY = """\
# Runs at every boot, also when the board wakes from deep sleep.
#import esp
#esp.osdebug(None)
#import webrepl
#webrepl.start()
"""


def start():
    boot = _told("b")
    import around
    import world

    world.current = around.Around(boot)
    for name in PORT:
        __import__(name)
    for name in OWN:
        usys.modules[name] = __import__("_" + name)
    _keep_clock(int(boot["clock_unix_ms"]))
    _mount()
    for name in list(usys.modules):
        if name in INSIDE or name.split(".")[0] == "models":
            del usys.modules[name]
        elif hasattr(usys.modules[name], "__file__"):
            del usys.modules[name].__file__
    usys.modules["sys"].path[:] = ["", ".frozen", "/lib"]
    gc.collect()


def run(name):
    """Runs a file in __main__ -> as the port's pyexec_file_if_exists does."""
    import os

    try:
        if os.stat(name)[0] & 0x8000 == 0:
            return PASSED
    except OSError:
        return PASSED
    names = __import__("__main__").__dict__
    names["__file__"] = name
    try:
        micropython.kbd_intr(CTRL_C)
        if _vm.interrupted_early():
            raise KeyboardInterrupt
        execfile(name, names)  # noqa: F821
        micropython.kbd_intr(-1)
        return PASSED
    except SystemExit:
        return FORCED_EXIT
    except BaseException as e:  # noqa: BLE001
        micropython.kbd_intr(-1)
        usys.print_exception(e)
    return FAILED


def _told(question):
    _vm.ask(question, 0, 0, "")
    return json.loads(_vm.text())


def _keep_clock(unix_ms):
    import time

    set_here = time.set_unix_ms

    def set_unix_ms(unix_ms):
        set_here(unix_ms)
        _vm.ask("k", 0, 0, str(unix_ms))

    set_here(unix_ms)
    time.set_unix_ms = set_unix_ms


def _mount():
    import esp32
    import lfs

    vfs.umount("/")
    usys.modules["vfs"] = _with(vfs, lfs)
    found = esp32.Partition.find(DATA, label="vfs")
    if not found:
        return
    try:
        try:
            vfs.mount(lfs.VfsLfs2(found[0]), "/")
        except OSError:
            _set_up(found[0], lfs.VfsLfs2)
    except KeyboardInterrupt as e:
        micropython.kbd_intr(-1)
        usys.print_exception(e)


def _set_up(region, kind):
    first = bytearray(4096)
    region.readblocks(0, first)
    if first != b"\xff" * len(first):
        import time

        micropython.kbd_intr(CTRL_C)
        while True:
            print(DAMAGED)
            time.sleep(3)
    print("Performing initial setup")
    kind.mkfs(region)
    vfs.mount(kind(region), "/")
    with open("boot.py", "w") as f:
        f.write(BOOT_PY)


def _with(module, lfs):
    # The port's vfs module has the class of its file system.
    class Vfs:
        mount = module.mount
        umount = module.umount
        VfsLfs2 = lfs.VfsLfs2

    return Vfs
