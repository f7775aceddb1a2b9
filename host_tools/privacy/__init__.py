"""How well pseudonyms keep: a fleet of virtual nodes, what an observer sees of it, and a linker that tries its best.

Nothing here helps a node. What links must be mended in the firmware, never left out of the observation.
"""
