"""The committed vectors are what the host's implementation makes."""

from tests.vectors import make_cells, make_core


def test_core_json_is_current() -> None:
    assert make_core.PATH.read_text("utf-8") == make_core.make(), "run: python -m tests.vectors.make_core"


def test_cells_json_is_current() -> None:
    assert make_cells.PATH.read_text("utf-8") == make_cells.make(), "run: python -m tests.vectors.make_cells"
