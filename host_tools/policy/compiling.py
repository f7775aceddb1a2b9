"""A profile -> the policy as a node has it (P_* of plumveil.wire), and as the registry judges messages by it."""

from __future__ import annotations

from typing import Any

from host_tools.policy.profile import Profile
from host_tools.registry import Policy
from plumveil import wire


def policy_map(profile: Profile, widened: int | None = None) -> dict[int, Any]:
    """Keys ``wire.P_*``. widened: version of the policy that last let out more than the one before it, by default the
    profile's own: no consent given under an earlier one suffices."""
    parts: dict[int, Any] = {
        wire.P_VERSION: profile.version,
        wire.P_FIELDS: profile.steps(),
        wire.P_LOCATION_CEILING: profile.ceiling,
        wire.P_SAMPLE_S: profile.sample_s,
        wire.P_POSITION_S: profile.position_s,
        wire.P_DEVICE_S: profile.device_s,
        wire.P_UPLOAD_S: profile.upload_s,
        wire.P_BATCH_MAX: profile.batch_max,
        wire.P_HEALTH_MASK: profile.health_mask,
        wire.P_RETENTION: profile.retention(),
        wire.P_WIDENED: profile.version if widened is None else widened,
    }
    if profile.limits:
        limits = profile.limits
        parts[wire.P_LIMITS] = [limits.temperature_low, limits.temperature_high, limits.shock]
    if profile.hours:
        parts[wire.P_SCHEDULE] = list(profile.hours.compiled())
    if profile.alarm_only:
        parts[wire.P_ALARM_ONLY] = True
    if profile.zones:
        parts[wire.P_ZONES] = [list(zone) for zone in sorted(set(profile.zones))]
    if profile.scatter:
        parts[wire.P_SCATTER_M] = profile.scatter.scale_m
        parts[wire.P_SCATTER_DAY] = profile.scatter.per_day
    if profile.split_dates:
        parts[wire.P_SPLIT_DATES] = True
    return parts


def policy_record(profile: Profile) -> Policy:
    """What messages under it are judged by."""
    return Policy(
        version=profile.version,
        fields=profile.steps(),
        location_ceiling=profile.ceiling,
        health_mask=profile.health_mask,
        split_dates=profile.split_dates,
    )
