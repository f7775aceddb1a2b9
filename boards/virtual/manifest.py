# Freezes Plumveil into a WebAssembly build of MicroPython; see boards/README.md, "A build of your own".
# ruff: noqa: F821
include("$(PORT_DIR)/variants/pyscript/manifest.py")
include("../plumveil.py")
