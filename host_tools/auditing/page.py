"""The audit's document as one HTML page that opens from disk and prints: nothing fetched, no script, no
coordinate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from plumveil import wire


def render(document: Mapping[str, Any]) -> str:
    """The page. The same document gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("host_tools.auditing", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    nodes = document["nodes"]
    return environment.get_template("page.html.j2").render(
        document=document,
        sound=not document["faults"],
        with_receipt=sum(node["positions"]["with_receipt"] for node in nodes),
        without=sum(one["count"] for node in nodes for one in node["positions"]["without"]),
        refused=sum(len(node["refused_grants"]) for node in nodes),
        consents=sum(len(node["consents"]) for node in nodes),
        sizes={name: _size(nominal_m) for name, nominal_m in wire.TIERS},
    )


def _size(nominal_m: int) -> str:
    return f"{nominal_m // 1000} km" if nominal_m >= 1000 else f"{nominal_m} m"
