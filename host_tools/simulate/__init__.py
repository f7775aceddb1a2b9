"""Simulation: runs the node's real firmware in MicroPython over recorded or generated surroundings and reports.

Nothing in here filters: what the reports show was let out by the firmware.
"""
