"""A keystore of 100,000 nodes: opened, listed, searched, changed in times that a person waits for."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from host_tools.keys import when
from host_tools.keys.entries import KeySet
from host_tools.keys.roles import Share
from tests.host import keystores
from tests.host.keystores import DAY, NOW_S, entry, keys, make, opened
from tests.host.pace import Pace

NODES = 100_000
# A second or less each on a quiet machine; what would make it wait is a step that costs all nodes twice over.
OPEN_S, FIND_S, LIST_S, CHANGE_S = 2.0, 5.0, 30.0, 15.0


def drawn(day: int) -> KeySet:
    return KeySet(os.urandom(32), os.urandom(32), os.urandom(32), os.urandom(32), day)


@pytest.mark.slow
def test_a_hundred_thousand_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)
    path = make(tmp_path, entry("first"))
    with opened(path, write=True) as store:
        for n in range(NODES - 1):
            secrets = drawn(DAY - 20)
            store.add(entry(f"node-{n:06}", keys=secrets, k_config=secrets.k_config, consents=()))
        store.save()
    with ExitStack() as stack:
        with Pace() as opening:
            store = stack.enter_context(opened(path))
        assert store.count == NODES
        with Pace() as finding:
            found = store.find("node-099998")
        assert found is not None
        assert found.number == NODES - 1
    with Pace() as listing:
        ended = keys("list", "--keystore", path)
    assert (ended.code, len(ended.out.splitlines())) == (0, NODES + 5)
    with Pace() as changing:
        ended = keys("enrol", "one more", "--board", "virtual", "--out", tmp_path / "slot", "--keystore", path)
    assert ended.code == 0
    for pace, bar_s in (opening, OPEN_S), (finding, FIND_S), (listing, LIST_S), (changing, CHANGE_S):
        assert pace.under(bar_s), pace
    assert path.stat().st_size < 256 * NODES


@pytest.mark.slow
def test_a_processors_table_of_many_rows(tmp_path: Path) -> None:
    secrets = (drawn(DAY) for _ in range(5000))
    path = make(tmp_path, *(entry(f"n{n}", keys=one, consents=()) for n, one in enumerate(secrets)))
    out = keystores.hand_out(path, "processor", Share((0, 2, 3), DAY, DAY + 1))
    with opened(out, keystores.EXPORTED) as store:
        assert len(store.table().rows) == 30_000
        assert store.count == 0
