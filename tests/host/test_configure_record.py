"""The highest configuration version, as it stands in a keystore: a count, and never something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host_tools.keys import enrol, entries, when
from tests.host.keystores import EXPORTED, NAMES, NOW_S, POLICY, TENANT, entry, hand_out, make, opened

ROW = entries.encode(entry(NAMES[0], config_version=41, serial=17), lambda _: 0)


def decoded(row: list[Any]) -> entries.Entry:
    return entries.decode(0, TENANT, row, [POLICY])


def test_it_comes_back() -> None:
    assert ROW[9:11] == [41, 17]
    assert decoded(ROW) == entry(NAMES[0], config_version=41, serial=17)


@pytest.mark.parametrize("place", [9, 10])
@pytest.mark.parametrize("value", [-1, True, "1", None, 1.0, [1]])
def test_anything_else_is_damage(place: int, value: Any) -> None:
    with pytest.raises(TypeError):
        decoded([value if n == place else part for n, part in enumerate(ROW)])


def test_a_row_of_another_length_is_damage() -> None:
    for row in (ROW[:-1], [*ROW, 0]):
        with pytest.raises(ValueError, match="unpack"):
            decoded(row)


def test_it_outlives_a_rekey_and_goes_to_a_technician(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)
    path = make(tmp_path, entry(NAMES[0], config_version=41))
    with opened(path, write=True) as store:
        enrol.rekey(store, NAMES[0], None, lambda _: None)
    with opened(path) as store:
        assert store.get(NAMES[0]).config_version == 41
    with opened(hand_out(path, "technician"), EXPORTED) as store:
        assert store.get(NAMES[0]).config_version == 41
