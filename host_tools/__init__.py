"""Host side of Plumveil: runs, configures and inspects nodes, and opens and validates what they send.

Shares nothing with the firmware but the tables of plumveil.wire.
"""
