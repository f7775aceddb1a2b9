"""A board's wiring as the stand-in world (host_tools/standins/world.py) takes it. Data only, no surroundings."""

from __future__ import annotations

from host_tools.boards import Board


def wiring(board: Board) -> dict[str, object]:
    """What is soldered, as a part of a world's spec: sensors, pins, addresses, divider, the receiver's line."""
    return {
        "sensors": list(board.sensors),
        "pins": board.pins.used(),
        "gps_baud": board.gps.baud,
        "power_chip": None if board.gps.power == "pin" else board.gps.power,
        "battery_divider": [board.battery.numerator, board.battery.denominator],
        "sht4x_address": board.i2c.sht4x_address,
        "lis3dh_address": board.i2c.lis3dh_address,
    }
