"""The report's figures: temperature as measured against as sent, and the raw track against the reported cells.

Draws raw input beside what left the node. That is the point of the report, and why it is the user's own file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator

from host_tools.simulate import svg
from host_tools.simulate.recordings import Series, Track

VACCINE_LOW_C, VACCINE_HIGH_C = 2.0, 8.0
KM_PER_DEGREE = 111.3195
TRACK_POINTS_MAX = 6000
CURVE_POINTS_MAX = 2880
CLOSER_S = 4 * 3600
DAY_S = 86400
SCALE_BARS_KM = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)

Polygons = Sequence[Sequence[tuple[float, float]]]  # rings of (latitude, longitude) in degrees


@dataclass(frozen=True)
class Curve:
    """One node's temperature: what the sensor felt, what arrived (Unix s, degC), and when an alarm left."""

    measured: Series
    sent: Sequence[tuple[int, float]]
    alarms_s: Sequence[int]
    start_s: int
    end_s: int


def temperature(curve: Curve, name: str, label: str, narrow: bool) -> str:
    """Draws measured against sent, the whole time and a few hours of it closer; narrow: for a phone's width."""
    with svg.style():
        if narrow:
            drawn = svg.figure(4.0, 4.6)
            places = [(0.10, 0.58, 0.885, 0.37), (0.10, 0.075, 0.885, 0.37)]
        else:
            drawn = svg.figure(9.8, 2.75)
            places = [(0.040, 0.12, 0.635, 0.78), (0.735, 0.12, 0.260, 0.78)]
        whole, closer = (drawn.add_axes(place) for place in places)
        from_s = _closer_from(curve)
        _draw(whole, curve, curve.start_s, curve.end_s, 6 if narrow else 3)
        _draw(closer, curve, from_s, min(from_s + CLOSER_S, curve.end_s), 1)
        for axes in (whole, closer):
            axes.set_ylim(*_range(curve))
        if curve.end_s - curve.start_s > CLOSER_S:
            hours = [(at_s - curve.start_s) / 3600 for at_s in (from_s, from_s + CLOSER_S)]
            whole.plot(
                hours,
                [0, 0],
                transform=whole.get_xaxis_transform(),
                color=svg.INK,
                linewidth=2.5,
                clip_on=False,
                zorder=3,
            )
        return svg.inline(drawn, f"{name}-{'narrow' if narrow else 'wide'}", label)


def _draw(axes: Axes, curve: Curve, from_s: int, to_s: int, every_h: int) -> None:
    """Draws the part [from_s, to_s) of the curves."""
    close = to_s - from_s <= CLOSER_S
    axes.axhspan(VACCINE_LOW_C, VACCINE_HIGH_C, color=svg.SAFE, alpha=0.12, linewidth=0)
    hours, celsius = _measured(curve, from_s, to_s)
    axes.plot(hours, celsius, color=svg.RAW, linewidth=1.1, alpha=0.85, drawstyle="steps-post")
    sent = [(time_s, value) for time_s, value in curve.sent if from_s <= time_s < to_s]
    sent_h = [(time_s - from_s) / 3600 for time_s, _ in sent]
    axes.plot(
        sent_h,
        [value for _, value in sent],
        "o",
        color=svg.ACCENT,
        markersize=4.2 if close else 2.6,
        markeredgewidth=0,
    )
    for time_s in curve.alarms_s:
        if from_s <= time_s < to_s:
            hour = (time_s - from_s) / 3600
            axes.plot([hour], [1.0], "v", transform=axes.get_xaxis_transform(), color=svg.ALARM, clip_on=False, ms=6)
    _hour_ticks(axes, from_s, to_s, every_h)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}°")
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(axis="y", color=svg.LINE, linewidth=0.5, alpha=0.7)
    axes.set_axisbelow(True)


def _range(curve: Curve) -> tuple[float, float]:
    """The band of 2-8 degC and all that was measured, with a margin."""
    values = curve.measured.window(curve.start_s, curve.end_s).values_milli
    low, high = min(VACCINE_LOW_C, min(values) / 1000), max(VACCINE_HIGH_C, max(values) / 1000)
    return low - 0.08 * (high - low), high + 0.08 * (high - low)


def _closer_from(curve: Curve) -> int:
    """Begins the closer look so that the first alarm stands in it, or else the highest value sent."""
    if curve.alarms_s:
        middle_s = curve.alarms_s[0]
    elif curve.sent:
        middle_s = max(curve.sent, key=lambda row: row[1])[0]
    else:
        middle_s = curve.start_s
    from_s = (middle_s - CLOSER_S // 3) // 1800 * 1800
    return max(curve.start_s, min(from_s, curve.end_s - CLOSER_S))


def _measured(curve: Curve, from_s: int, to_s: int) -> tuple[list[float], list[float]]:
    """Returns hours and degC of the measured curve, thinned to what a screen can show."""
    window = curve.measured.window(from_s, to_s)
    step = max(1, len(window.times_s) // CURVE_POINTS_MAX)
    rows = list(zip(window.times_s, window.values_milli, strict=True))[::step]
    rows.append((min(to_s, max(window.end_s + 3600, rows[-1][0])), window.values_milli[-1]))
    return [(time_s - from_s) / 3600 for time_s, _ in rows], [value / 1000 for _, value in rows]


def _hour_ticks(axes: Axes, from_s: int, to_s: int, every_h: int) -> None:
    """Labels whole hours of the day (UTC) and marks midnight, when every pseudonym changes."""
    span_h = (to_s - from_s) / 3600
    axes.set_xlim(0, span_h)
    every_s = 3600 * every_h * max(1, math.ceil(span_h / 30))
    ticks, names = [], []
    for time_s in range(-(-from_s // every_s) * every_s, to_s + 1, every_s):
        ticks.append((time_s - from_s) / 3600)
        names.append(datetime.fromtimestamp(time_s, UTC).strftime("%H:%M"))
    for midnight_s in range(-(-from_s // DAY_S) * DAY_S, to_s + 1, DAY_S):
        axes.axvline((midnight_s - from_s) / 3600, color=svg.MUTED, linewidth=0.7, linestyle=(0, (2, 3)))
    axes.set_xticks(ticks, names)


def track_map(track: Track | None, cells: Polygons, name: str, label: str, frame: Track | None = None) -> str:
    """Draws the raw track (never sent) and the reported cells, north up, in true proportion, with a scale bar.

    frame: a track whose extent to use, so that two maps can be compared.
    """
    extent = _extent(frame or track, cells)
    middle_lat = (extent[0] + extent[1]) / 2
    squeeze = math.cos(math.radians(middle_lat))

    def east_km(lon: float) -> float:
        return (lon - extent[2]) * KM_PER_DEGREE * squeeze

    def north_km(lat: float) -> float:
        return (lat - extent[0]) * KM_PER_DEGREE

    width_km, height_km = east_km(extent[3]), north_km(extent[1])
    with svg.style():
        drawn = svg.figure(4.6, min(max(4.6 * height_km / width_km, 2.6), 6.0))
        axes = drawn.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        for ring in cells:
            outline = [(east_km(lon), north_km(lat)) for lat, lon in ring]
            axes.add_patch(Polygon(outline, facecolor=svg.ACCENT, alpha=0.20, linewidth=0))
            axes.add_patch(Polygon(outline, fill=False, edgecolor=svg.ACCENT, linewidth=0.9))
        if track is not None and len(track):
            step = max(1, len(track) // TRACK_POINTS_MAX)
            xs = [east_km(lon) for lon in track.lon_deg[::step]]
            ys = [north_km(lat) for lat in track.lat_deg[::step]]
            axes.plot(xs, ys, color=svg.RAW, linewidth=1.1, solid_joinstyle="round")
        _scale_bar(axes, width_km, height_km)
        axes.set_xlim(0, width_km)
        axes.set_ylim(0, height_km)
        axes.set_aspect("equal")
        return svg.inline(drawn, name, label)


def _extent(track: Track | None, cells: Polygons) -> tuple[float, float, float, float]:
    """Returns south, north, west, east in degrees with a margin, at least 1 km each way."""
    lats = [lat for ring in cells for lat, _ in ring] + list(track.lat_deg if track else ())
    lons = [lon for ring in cells for _, lon in ring] + list(track.lon_deg if track else ())
    if not lats:
        return -0.01, 0.01, -0.01, 0.01
    south, north, west, east = min(lats), max(lats), min(lons), max(lons)
    squeeze = max(math.cos(math.radians((south + north) / 2)), 0.01)
    side_km = max((north - south) * KM_PER_DEGREE, (east - west) * KM_PER_DEGREE * squeeze, 1.0)
    margin = 0.06 * side_km / KM_PER_DEGREE
    grow_lat = max(0.0, 0.55 * side_km / KM_PER_DEGREE - (north - south)) / 2 + margin
    grow_lon = max(0.0, 0.55 * side_km / KM_PER_DEGREE / squeeze - (east - west)) / 2 + margin / squeeze
    return south - grow_lat, north + grow_lat, west - grow_lon, east + grow_lon


def _scale_bar(axes: Axes, width_km: float, height_km: float) -> None:
    length_km = max((km for km in SCALE_BARS_KM if km <= width_km / 4), default=SCALE_BARS_KM[0])
    left, base, tick = 0.035 * width_km, 0.035 * height_km, 0.010 * width_km
    axes.plot(
        [left, left, left + length_km, left + length_km],
        [base + tick, base, base, base + tick],
        color=svg.INK,
        linewidth=1.2,
        solid_joinstyle="miter",
    )
    text = f"{length_km:g} km" if length_km >= 1 else f"{length_km * 1000:g} m"
    axes.text(left + length_km / 2, base + 1.2 * tick, text, ha="center", va="bottom", color=svg.INK, fontsize=9)
