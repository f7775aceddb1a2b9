"""A configuration map as a node has it, taken apart, compared, and shown in node.toml's words.

Its secret stands in no repr and no line: that the network's key changed is all that is said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from host_tools.configure.nodetoml import POWER
from host_tools.errors import PlumveilError
from host_tools.policy import zones
from host_tools.policy.hours import Hours
from host_tools.policy.profile import FIELD_NAMES, TIER_NAMES
from host_tools.policy.reach import Reach, scatter_text
from host_tools.registry import Policy
from host_tools.render import printable, time_text
from plumveil import wire

INTERVALS = {
    "sample_s": wire.P_SAMPLE_S,
    "position_s": wire.P_POSITION_S,
    "device_s": wire.P_DEVICE_S,
    "upload_s": wire.P_UPLOAD_S,
    "batch_max": wire.P_BATCH_MAX,
}
LIMITS = ("temperature_low_degc", "temperature_high_degc", "shock_g")
_HIDDEN = ("wifi.key",)


@dataclass(frozen=True)
class Content:
    """What a configuration map says. intervals, limits: in node.toml's names and units; reach: of its policy; from_s,
    route_until_s: Unix s, None without."""

    version: int
    policy: Policy
    intervals: dict[str, int]
    limits: dict[str, float] | None
    host: str
    port: int
    ca_der: bytes | None
    ssid: str
    wifi_key: str = field(repr=False)
    board: dict[str, int]
    sensors: tuple[str, ...]
    power: str
    reach: Reach
    from_s: int | None
    route_until_s: int | None


def content_of(parts: Mapping[Any, Any]) -> Content:
    """The content of a map with keys wire.C_*. PlumveilError when it is none that this Plumveil knows."""
    try:
        policy = parts[wire.C_POLICY]
        host, port, ca_der = parts[wire.C_BROKER]
        ssid, wifi_key = parts[wire.C_WIFI]
        found = Content(
            parts[wire.C_VERSION],
            Policy(
                version=policy[wire.P_VERSION],
                fields=policy[wire.P_FIELDS],
                location_ceiling=policy[wire.P_LOCATION_CEILING],
                health_mask=policy[wire.P_HEALTH_MASK],
                split_dates=policy.get(wire.P_SPLIT_DATES, False),
            ),
            {name: policy[key] for name, key in INTERVALS.items()},
            _limits(policy.get(wire.P_LIMITS)),
            host,
            port,
            ca_der,
            ssid,
            wifi_key,
            parts[wire.C_BOARD] | {},
            tuple(parts[wire.C_SENSORS] + []),
            POWER[parts[wire.C_POWER]],
            Reach.of(policy),
            parts.get(wire.C_FROM_S),
            parts.get(wire.C_ROUTE_UNTIL_S),
        )
        _typed(found)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ValidationError):
        raise PlumveilError(
            "the node's configuration is none that this Plumveil knows: `plumveil configure` replaces it"
        ) from None
    return found


def _typed(found: Content) -> None:
    """TypeError when a part that no model has checked is of another type."""
    numbers = (
        found.version,
        found.port,
        found.from_s or 0,
        found.route_until_s or 0,
        *found.intervals.values(),
        *found.board.values(),
    )
    texts = (found.host, found.ssid, found.wifi_key, *found.sensors, *found.board)
    if not all(type(n) is int for n in numbers) or not all(isinstance(text, str) for text in texts):
        raise TypeError
    if not isinstance(found.ca_der, bytes | None):
        raise TypeError


def _limits(limits: Any) -> dict[str, float] | None:
    return None if limits is None else {name: value / 10 for name, value in zip(LIMITS, limits, strict=True)}


def differences(old: Content | None, new: Content) -> list[str]:
    """What changes from one to the other, a line each in node.toml's names; the version is left out."""
    before, after = {} if old is None else _flat(old), _flat(new)
    names = [*after, *(name for name in before if name not in after)]
    return [_line(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _line(name: str, before: str | None, after: str | None) -> str:
    if name in _HIDDEN:
        what = "given" if before is None else "removed" if after is None else "changed"
        return f"{name}: {what}"
    if before is None or after is None:
        return f"+ {name}: {after}" if before is None else f"- {name}: {before}"
    return f"  {name}: {before} -> {after}"


def _flat(content: Content) -> dict[str, str]:
    flat = {"node.sensors": ", ".join(content.sensors), "node.power": content.power}
    flat |= {f"intervals.{name}": str(value) for name, value in content.intervals.items()}
    flat |= {f"limits.{name}": f"{value:g}" for name, value in (content.limits or {}).items()}
    flat |= {"wifi.ssid": content.ssid, "wifi.key": content.wifi_key, "broker.host": content.host}
    flat |= {"broker.port": str(content.port), "broker.ca": _fingerprint(content.ca_der)}
    if content.route_until_s is not None:
        flat["service.safeguard_until"] = time_text(content.route_until_s - 1)[:10]
    policy = content.policy
    flat |= {"policy.version": str(policy.version), "policy.location_ceiling": TIER_NAMES[policy.location_ceiling]}
    flat |= {"policy.health_mask": str(policy.health_mask).lower()}
    flat |= _narrowing(content.reach)
    flat |= {f"policy.fields.{FIELD_NAMES[number]}": str(step) for number, step in policy.fields.items()}
    flat |= {f"board.{name}": str(number) for name, number in content.board.items()}
    return {name: value if name in _HIDDEN else printable(value) for name, value in flat.items()}


def _narrowing(reach: Reach) -> dict[str, str]:
    flat = {
        f"policy.retention.{stream}": f"{n} days" for stream, n in zip(wire.STREAMS, reach.retention, strict=True)
    }
    if reach.hours is not None:
        flat["policy.schedule"] = str(Hours.of(reach.hours))
    flat |= {"policy.alarm_only": "true"} if reach.alarm_only else {}
    flat |= {"policy.zones": ", ".join(map(zones.text, sorted(reach.zones)))} if reach.zones else {}
    flat |= {"policy.scatter": scatter_text(reach.scatter)} if reach.scatter else {}
    return flat | ({"policy.split_dates": "true"} if reach.split_dates else {})


def _fingerprint(ca_der: bytes | None) -> str:
    return "none" if ca_der is None else f"SHA-256 {hashlib.sha256(ca_der).hexdigest()}"
