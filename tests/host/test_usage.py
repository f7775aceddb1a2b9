"""Wrong usage of every command ends in one line and exit code 2, and no value that was typed is repeated."""

from __future__ import annotations

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools import usage
from tests.host.command_line import run

WRONG = [
    ("decode --nwo x", "no such option --nwo, perhaps --now; see plumveil decode --help"),
    ("decode -48.12345", "no such option; see plumveil decode --help"),
    ("decode --48.12345=9.54321", "no such option; see plumveil decode --help"),
    ("decode --keys", "--keys needs a value; see the command's --help"),
    ("decode --json=48.12345", "--json takes no value; see the command's --help"),
    ("decode --now 48.12345", "--now: what was given does not match the formats '%Y-%m-%d', "),
    ("decode here 48.12345 9.54321", "more than plumveil decode takes: PATH; see plumveil decode --help"),
    ("gps status 48.12345", "more than plumveil gps status takes: options only; see plumveil gps status --help"),
    (
        "decode --stream 48.12345",
        "--stream: what was given is not one of 'readings', 'location', 'device', 'events', 'dates'; see",
    ),
    (
        "privacy attack --seed -1",
        "--seed: what was given should be greater than or equal to 0; see plumveil privacy",
    ),
    ("privacy link --nodes 48.12345", "--nodes: what was given should be a valid integer; see plumveil privacy link"),
    ("decoed", "no such command decoed, perhaps decode or demo; see plumveil --help"),
    ("cells shwo 48.12345 9.54321", "no such command shwo, perhaps show; see plumveil cells --help"),
    ("48.12345 9.54321", "no such command; see plumveil --help"),
    ("cells show 48.12345", "LON is missing; see plumveil cells show --help"),
    ("cells show", "LAT is missing; see plumveil cells show --help"),
    (
        "cells show 48.12345 N 9.54321 E",
        "more than plumveil cells show takes: LAT LON; see plumveil cells show --help",
    ),
    ("cells show 48.12345 9.54321 --tire area", "no such option --tire; see plumveil cells show --help"),
    ("cells show --tire 48.12345", "no such option --tire; see plumveil cells show --help"),
    ("cells show 48.12345 9.54321 --tier 9.54321", "--tier: what was given is not one of 'region', 'district', "),
    ("cells show --48.12345 9.54321", "latitude: not in decimal degrees"),
    ("cells show 48.12345 --9.54321", "longitude: not in decimal degrees"),
    ("cells show 48,12345 9,54321", "latitude: not in decimal degrees from -90 to 90; latitude first, for example: "),
    ("cells show 48.12345° 9.54321°", "latitude: not in decimal degrees"),
    ("cells show 48.12345N 9.54321E", "latitude: not in decimal degrees"),
    ("cells show 148.12345 9.54321", "latitude: not in decimal degrees"),
    ("cells show 48.12345,9.54321", "LON is missing"),
]


@pytest.mark.parametrize(("typed", "told"), WRONG)
def test_one_line_says_what_is_wrong_and_where_to_look(typed: str, told: str) -> None:
    ended = run(*typed.split())
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"plumveil: error: {told}")
    assert ended.err.count("\n") == 1
    assert ended.err.endswith("--help\n") or "for example: plumveil cells show 12.5 -7.25\n" in ended.err
    assert not any(part in ended.err for part in ("8.123", "8,123", "9.543", "9,543"))


@pytest.mark.parametrize("typed", ["", "cells", "consent", "cells show --help"])
def test_help_is_no_error(typed: str) -> None:
    ended = run(*typed.split())
    assert ended.code == (0 if "--help" in typed else 2)
    assert "Usage: plumveil" in ended.out
    assert ended.err == ""


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), min_size=1, max_size=4))
def test_whatever_is_typed_for_a_place_is_answered_in_one_line(typed: list[str]) -> None:
    ended = run("cells", "show", "--tier", "area", *typed)
    if ended.code:
        assert ended.code == 2
        assert ended.err.startswith("plumveil: error: ")
        assert ended.err.count("\n") == len(ended.err.splitlines()) == 1
    else:
        assert ended.err == ""


@pytest.mark.parametrize(
    "text", ["8", "-8", "--8.1", "--a1", "deadbeef", "--n=a", "-", "", "--" + "deadbeef" * 8, "--a\n"]
)
def test_only_what_can_be_a_name_is_repeated(text: str) -> None:
    assert usage.is_name(text) == (text == "deadbeef")


def test_what_the_parser_may_say_one_day_is_not_repeated() -> None:
    for error in (typer.BadParameter("48.12345?"), typer.TyperException("48.12345?")):
        assert "48" not in usage.refused(error)
