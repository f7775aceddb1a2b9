# Runs before main.py on every boot, and does as little as can be: what fails here cannot be mended over the wire.
import gc

gc.collect()
