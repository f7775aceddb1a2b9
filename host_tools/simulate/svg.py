"""Matplotlib figures as inline SVG: text stays text, colours follow the page's theme, nothing is fetched.

Figures are drawn in marker colours that stand for CSS variables; `inline` swaps them.
"""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# Colours to draw with. Each is replaced by the page's variable of the same name.
INK = "#010101"
MUTED = "#020202"
LINE = "#030303"
ACCENT = "#040404"
RAW = "#050505"
SAFE = "#060606"
ALARM = "#070707"
SURFACE = "#080808"

_VARIABLES = {
    INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", RAW: "raw", SAFE: "safe", ALARM: "alarm",
    SURFACE: "surface",
}  # fmt: skip

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.color": MUTED,
    "axes.facecolor": "none",
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "path.simplify": True,
    "path.simplify_threshold": 0.5,
}

_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACE = re.compile(r'\s+xmlns(:\w+)?="[^"]*"')
_GROUP_ID = re.compile(r'<g id="[\w.]+_\d+"')
_SIZE = re.compile(r'\s+(?:width|height)="[\d.]+pt"')
_FONT = re.compile(r"font: ([\d.]+)px [^;\"]*|font-family: [^;\"]*")


def figure(width_in: float, height_in: float) -> Figure:
    """Returns an empty figure without a background; make and draw it within `style()`."""
    made = Figure(figsize=(width_in, height_in))
    made.patch.set_alpha(0.0)
    return made


def style() -> AbstractContextManager[None]:
    """Returns the context in which figures are drawn and written."""
    return mpl.rc_context(STYLE)


def inline(drawn: Figure, name: str, label: str) -> str:
    """Writes a figure as an SVG element for use inside HTML.

    name makes the element's internal ids its own, the same in every run; label is read out by screen readers.
    """
    out = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"plumveil-{name}"}):
        drawn.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = _METADATA.sub("", _HEAD.sub("", out.getvalue()))
    text = _NAMESPACE.sub("", text)
    text = _SIZE.sub("", text, count=2)
    text = _GROUP_ID.sub("<g", text)
    text = text.replace("xlink:href", "href")
    text = _FONT.sub(lambda m: f"font: {m[1]}px var(--font)" if m[1] else "font-family: var(--font)", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    safe_label = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("<svg", f'<svg role="img" aria-label="{safe_label}"', 1)
