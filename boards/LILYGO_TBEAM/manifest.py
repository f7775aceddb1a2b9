# Freezes Plumveil into a MicroPython build of this board; see boards/README.md, "A build of your own".
# ruff: noqa: F821
include("$(PORT_DIR)/boards/manifest.py")
include("../plumveil.py")
