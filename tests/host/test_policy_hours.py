"""Hours: written, compiled, read back; and the node, with code of its own for them, is open at the same minutes."""

from __future__ import annotations

from typing import Any

import nodefiles  # type: ignore[import-not-found]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from host_tools.policy.hours import WEEK_MIN, WEEKDAYS, Hours, open_minutes
from plumveil import wire
from plumveil.policy import Policy

MONDAY = 20602 - 4  # 2026-05-25
OFFICE: dict[str, Any] = {"days": ["mon", "fri"], "begins": "08:00", "ends": "18:00", "utc_offset": "+05:30"}
COMPILED = st.tuples(st.integers(-840, 840), st.integers(1, 127), st.integers(0, 1439), st.integers(1, 1440)).filter(
    lambda hours: hours[2] != hours[3]
)


def test_compiled_as_the_format_says() -> None:
    hours = Hours(**OFFICE)
    assert hours.compiled() == (330, 0b0010001, 480, 1080)
    assert str(hours) == "mon, fri 08:00 to 18:00 (UTC+05:30)"
    west = Hours(**{**OFFICE, "utc_offset": "-03:30", "begins": "22:00", "ends": "24:00"})
    assert west.compiled() == (-210, 0b0010001, 1320, 1440)


@given(COMPILED)
def test_what_was_compiled_reads_back(compiled: tuple[int, int, int, int]) -> None:
    assert Hours.of(compiled).compiled() == compiled


BAD = [
    ({"days": []}, "at least 1 item"),
    ({"days": ["mon", "mon"]}, "a weekday is named twice"),
    ({"days": ["monday"]}, "Input should be"),
    ({"begins": "8:00"}, "is no time of day: write it as 08:00"),
    ({"begins": "24:00"}, "begin at 00:00 of the next day"),
    ({"begins": "08:60"}, "is no time of day"),
    ({"ends": "24:01"}, "is no time of day"),
    ({"ends": "00:00"}, "end at 24:00"),
    ({"ends": "08:00"}, "end when they begin are none"),
    ({"begins": 8}, "valid string"),
    ({"utc_offset": "+14:01"}, "is no offset from UTC"),
    ({"utc_offset": "-15:00"}, "is no offset from UTC"),
    ({"utc_offset": "05:30"}, "is no offset from UTC"),
    ({"utc_offset": None}, "valid string"),
    ({"zone": "Asia/Kolkata"}, "Extra inputs"),
]


@pytest.mark.parametrize(("changed", "words"), BAD, ids=[str(changed) for changed, _ in BAD])
def test_what_is_none_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Hours(**{**OFFICE, **changed})


@given(COMPILED, st.integers(0, 2 * WEEK_MIN))
def test_the_node_is_open_when_the_host_says_so(compiled: tuple[int, int, int, int], minute: int) -> None:
    node = Policy({**nodefiles.policy_map(), wire.P_SCHEDULE: list(compiled)})
    open_ = open_minutes(compiled) >> minute % WEEK_MIN & 1 == 1
    for second in (0, 59):
        assert node.open_at(MONDAY * 86400 + minute * 60 + second) is open_


def test_without_hours_every_minute_is_open() -> None:
    assert open_minutes(None).bit_count() == WEEK_MIN
    whole = Hours(days=WEEKDAYS, begins="00:00", ends="24:00", utc_offset="+01:00")
    assert open_minutes(whole.compiled()) == open_minutes(None)
    assert open_minutes(Hours(**OFFICE).compiled()).bit_count() == 2 * 600
