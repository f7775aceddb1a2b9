"""The `policy` commands: find the policy meant, put it into words, print. Returns exit codes.

A policy is named by its profile, by a node.toml, or by a node of the keystore: the one on record as in force now, and
the one loaded ahead.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cbor2

from host_tools.configure.nodetoml import load
from host_tools.configure.parts import own_profile
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import commands as keys
from host_tools.keys import when
from host_tools.keys.commands import Where
from host_tools.policy import show
from host_tools.policy.compiling import policy_map
from host_tools.policy.profile import Profile, load_profile, profile_names
from host_tools.policy.reach import Reach, changes

DONE = 0
WIDTH = 110


class Waiting(NamedTuple):
    """A policy loaded ahead, and the Unix s from which it is in force."""

    from_s: int
    reach: Reach


class Found(NamedTuple):
    """A policy: how far it reaches, None where it is not on record; the profile behind it, None where the keystore
    knows no more; and what is loaded ahead of it."""

    reach: Reach | None
    profile: Profile | None = None
    waiting: Waiting | None = None


def listed() -> int:
    """Prints the profiles there are."""
    for name in profile_names():
        print(f"{name}: {load_profile(name).about}")
    return DONE


def shown(name: str, where: Where) -> int:
    """Prints one policy, and of a profile its reasons."""
    found = find(name, where)
    if found.profile is not None:
        _print(show.profile_lines(found.profile))
        print("\nWhat leaves, when and how precisely:")
    if found.waiting is not None:
        print("In force now:")
    _print(f"  {line}" for line in _reach_lines(found.reach))
    if found.waiting is not None:
        print(f"\nLoaded ahead, in force from {when.moment_text(found.waiting.from_s)}:")
        _print(f"  {line}" for line in show.reach_lines(found.waiting.reach))
    return DONE


def _reach_lines(reach: Reach | None) -> list[str]:
    return ["not on record"] if reach is None else show.reach_lines(reach)


def differing(one: str, other: str, where: Where) -> int:
    """Prints in what respects the second policy is wider than the first, and in which narrower."""
    old, new = _in_force(one, where), _in_force(other, where)
    found = changes(old, new)
    _print(show.change_lines(found) or ["no difference in what leaves"])
    if any(change.wider for change in found):
        print(f"\nA consent given under {one} does not suffice for {other}, which needs a higher version.")
    return DONE


def explained(name: str, profile: str) -> int:
    """Prints all about one field."""
    if name not in show.EXPLAINED:
        raise UsageError(f"there is no field {name!r}; there are: {', '.join(show.EXPLAINED)}")
    _print(show.explained(name, load_profile(profile)))
    return DONE


def _in_force(name: str, where: Where) -> Reach:
    found = find(name, where)
    if found.reach is None:
        raise PlumveilError(f"the policy of {name!r} in force now is not on record here, only one loaded ahead")
    if found.waiting is not None:
        begins = when.moment_text(found.waiting.from_s)
        print(f"Note: of {name}, what is in force now; version {found.waiting.reach.version} follows at {begins}.")
    return found.reach


def find(name: str, where: Where) -> Found:
    """The policy a name stands for. UsageError or PlumveilError when there is none."""
    if name in profile_names():
        profile = load_profile(name)
        return Found(Reach.of(policy_map(profile)), profile)
    if Path(name).is_file() or name.endswith(".toml"):
        return _of_file(Path(name))
    return _of_node(name, where)


def _of_file(path: Path) -> Found:
    node = load(path)
    profile = own_profile(node, load_profile(node.policy.profile))
    return Found(Reach.of(policy_map(profile)), profile)


def _of_node(name: str, where: Where) -> Found:
    if not keys.locate(where.keystore).exists():
        there = ", ".join(profile_names())
        raise UsageError(f"{name!r} is no profile ({there}) and no file, and there is no keystore to know a node by")
    with keys.opened(where) as store:
        entry = store.get(name)
    now_s, ahead = when.now_s(), entry.policy_ahead
    in_force = entry.policy_at(now_s)
    if not in_force and ahead is None:
        raise PlumveilError(f"no policy of {name!r} is on record here: it was not configured from this keystore yet")
    reach = Reach.of(cbor2.loads(in_force)) if in_force else None
    if ahead is None or ahead.from_s <= now_s:
        return Found(reach)
    return Found(reach, waiting=Waiting(ahead.from_s, Reach.of(cbor2.loads(ahead.policy_map))))


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        print(textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) if line else "")
