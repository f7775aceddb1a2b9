# Register-level models of the node's peripherals, written from their datasheets and apart from the firmware's
# drivers, so that one misreading cannot pass on both sides. Plain integers, portable to MicroPython. They read
# world.World only.
