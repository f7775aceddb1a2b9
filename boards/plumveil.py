# What every board's manifest.py adds to MicroPython's own: the firmware, frozen. A slot folder on the node still
# comes before it (boot.py), so a frozen node can be flashed with a newer version. Holds no board's data.
# ruff: noqa: F821
package("plumveil", base_path="../firmware", opt=2)
module("boot.py", base_path="../firmware", opt=2)
module("main.py", base_path="../firmware", opt=2)
