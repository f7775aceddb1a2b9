"""A node.toml from what a node has. What is secret is left out, and so is what the node does not know; both are said.

Nothing of a consent is in it: that is given, not configured.
"""

from __future__ import annotations

import json

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from host_tools import boards, provision
from host_tools.configure.inforce import Content
from host_tools.keys.entries import Entry
from host_tools.policy import zones
from host_tools.policy.compiling import policy_record
from host_tools.policy.hours import Hours
from host_tools.policy.profile import Profile, load_profile, profile_names
from host_tools.render import time_text

NOT_THERE = "# {keys}: not on the node; it is yours to say"


def toml(content: Content, ca_file: str, entry: Entry | None = None, tenant: str | None = None) -> str:
    """node.toml of a node's configuration, with comments in the place of what is missing.

    ca_file: the name its CA's PEM file has; entry, tenant: what a keystore says of the node.
    """
    fitting = boards_of(content)
    board = entry.board if entry is not None else fitting[0] if fitting else None
    fits = profiles_of(content)
    profile = fits[0] if fits else None
    lines = [f"# Read from a node, whose configuration {content.version} it is. Its secrets are left out.", "[node]"]
    lines += [f"name = {_text(entry.name)}"] if entry is not None else [NOT_THERE.format(keys="name")]
    lines += _board_lines(board, fitting)
    lines += [f"sensors = [{', '.join(map(_text, content.sensors))}]", f"power = {_text(content.power)}"]
    intervals = _intervals(content, profile)
    lines += ["", "[intervals]", *(f"{name} = {value}" for name, value in intervals.items())] if intervals else []
    lines += _limits(content, profile)
    lines += ["", "[wifi]", f"ssid = {_text(content.ssid)}", "# key, key_file or key_env: the key is left out"]
    lines += ["", "[broker]", f"host = {_text(content.host)}", f"port = {content.port}"]
    lines += [f"ca_file = {_text(ca_file)}"] if content.ca_der is not None else []
    lines += ["", "[service]", *([] if tenant is None else [f"tenant = {_text(tenant)}"])]
    missing = "jurisdiction, endpoint_region, safeguard"
    lines += [NOT_THERE.format(keys=missing if tenant is not None else f"tenant, {missing}")]
    lines += [] if content.route_until_s is None else [f"safeguard_until = {_day(content.route_until_s - 1)}"]
    lines += ["", "[policy]", *_profile_lines(content, fits), *_narrowing(content)]
    return "\n".join(lines) + "\n"


def ca_pem(content: Content) -> bytes | None:
    """The CA the node trusts, in PEM; None when it has none. ValueError when what it has is no certificate."""
    if content.ca_der is None:
        return None
    return x509.load_der_x509_certificate(content.ca_der).public_bytes(Encoding.PEM)


def boards_of(content: Content) -> list[str]:
    """Names of the boards that are wired like this; several may be."""
    found = []
    for name in boards.names():
        board = boards.load(name)
        if provision.board_numbers(board) == content.board and set(content.sensors) <= set(board.sensors):
            found.append(name)
    return found


def profiles_of(content: Content) -> list[Profile]:
    """Profiles with this policy; several may say the same by other laws."""
    found = []
    for name in profile_names():
        profile = load_profile(name)
        # The version may be the node's own.
        alike = policy_record(profile).model_copy(update={"version": content.policy.version})
        if alike == content.policy and tuple(profile.retention()) == content.reach.retention:
            found.append(profile)
    return found


def _board_lines(board: str | None, fitting: list[str]) -> list[str]:
    if board is None:
        return ["# board: no board in boards/ is wired like this one"]
    others = [name for name in fitting if name != board]
    return [f"board = {_text(board)}" + (f"  # wired the same: {', '.join(others)}" if others else "")]


def _profile_lines(content: Content, fits: list[Profile]) -> list[str]:
    if not fits:
        return [f"# profile: none here has the node's policy, version {content.policy.version}"]
    first, others = fits[0], [profile.name for profile in fits[1:]]
    own = [f"version = {content.policy.version}"] if content.policy.version != first.version else []
    return [f"profile = {_text(first.name)}" + (f"  # the same: {', '.join(others)}" if others else ""), *own]


def _narrowing(content: Content) -> list[str]:
    reach = content.reach
    lines = ["alarm_only = true"] if reach.alarm_only else []
    lines += (
        [f"zones = [{', '.join(_text(zones.text(zone)) for zone in sorted(reach.zones))}]"] if reach.zones else []
    )
    if reach.scatter is not None:
        scale_m, per_day = reach.scatter
        lines += ["", "[policy.scatter]", f"scale_m = {scale_m}", f"per_day = {per_day}"]
    if reach.hours is None:
        return lines
    hours = Hours.of(reach.hours)
    days = ", ".join(map(_text, hours.days))
    lines += ["", "[policy.schedule]", f"days = [{days}]", f"begins = {_text(hours.begins)}"]
    return [*lines, f"ends = {_text(hours.ends)}", f"utc_offset = {_text(hours.utc_offset)}"]


def _day(t_s: int) -> str:
    return time_text(t_s)[:10]


def _intervals(content: Content, profile: Profile | None) -> dict[str, int]:
    """Those that are not the profile's."""
    usual = {} if profile is None else profile.model_dump()
    return {name: value for name, value in content.intervals.items() if usual.get(name) != value}


def _limits(content: Content, profile: Profile | None) -> list[str]:
    if content.limits is None:
        return []
    usual = None if profile is None or profile.limits is None else profile.limits
    if usual is not None and list(content.limits.values()) == [
        value / 10 for value in (usual.temperature_low, usual.temperature_high, usual.shock)
    ]:
        return []
    return ["", "[limits]", *(f"{name} = {value}" for name, value in content.limits.items())]


def _text(text: str) -> str:
    """A TOML basic string. JSON escapes all that TOML wants escaped but DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
