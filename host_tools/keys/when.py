"""The present, and dates as the command line writes them; one home, so that all of a command sees one clock."""

import time
from datetime import UTC, date, datetime, timedelta

from host_tools.errors import UsageError
from plumveil import wire

_EPOCH = date(1970, 1, 1)


def now_s() -> int:
    """The present in Unix s, as this machine's clock has it."""
    return int(time.time())


def today() -> int:
    """The present Unix day, UTC."""
    return now_s() // wire.EPOCH_S


def day_of(text: str, option: str) -> int:
    """2026-03-01 -> Unix day. UsageError when it is no date that the wire format knows."""
    try:
        day = (date.fromisoformat(text) - _EPOCH).days
    except ValueError:
        raise UsageError(f"{option} takes a date such as 2026-03-01") from None
    if not wire.UNIX_MIN_S <= day * wire.EPOCH_S < wire.UNIX_MAX_S:
        raise UsageError(f"{option} takes a date from 2026-01-01 to 2099-12-31")
    return day


def date_text(day: int) -> str:
    """Unix day -> 2026-03-01."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def moment_text(unix_s: int) -> str:
    """Unix s -> 2026-03-01T09:30:00Z."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
