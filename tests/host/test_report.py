"""The report: one file that fetches nothing, says what it must, keeps proportions, never breaks."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from host_tools import cells
from host_tools.simulate import figures, scenario, words
from host_tools.simulate.recordings import Series, Track
from host_tools.simulate.report import render
from host_tools.simulate.results import NodeFigures, NodeView, Outcome, SentCell, Verdict
from plumveil import wire

START_S = scenario.DAY_START_S
TIER = 3
VOID_TAGS = {"meta", "br", "hr", "img", "link", "input"}


def cell_at(row: int, column: int, tier: int = TIER) -> SentCell:
    south, west, north, east = (edge / cells.DEGREE_E6 for edge in cells.box(tier, row, column))
    return SentCell(START_S, (tier, row, column), ((south, west), (south, east), (north, east), (north, west)))


def node(name: str = "truck", sent: int = 20, nmea: bool = True, **changes: object) -> NodeView:
    surroundings = scenario.truck(seconds=4 * 3600) if nmea else scenario.refrigerator(seconds=4 * 3600)
    celsius = [(START_S + 300 * j, 4.0 + 0.1 * j) for j in range(sent)]
    row, column = 15420, 14400
    view = NodeView(
        figures=NodeFigures(name, 7, sent, 2, 4.25, 157.0, 233.5, {"same_cell": 12, "no_fix": 3}),
        surroundings=surroundings,
        tier=TIER if nmea else wire.TIER_OFF,
        about="board virtual",
        sent_celsius=celsius,
        cells=[cell_at(row, column), cell_at(row, column + 1)] if nmea else [],
        temperature_alarms_s=[START_S + 3600],
        bytes_by_stream={"readings": (2, 85), "location": (2, 228), "device": (0, 0), "events": (3, 300)},
        pseudonyms=3,
    )
    return replace(view, **changes)  # type: ignore[arg-type]


def outcome(*nodes: NodeView, verdict: Verdict | None = None) -> Outcome:
    return Outcome("A title", "A lead.", nodes, verdict or Verdict(7, 0), 3.21, ["the input is generated"])


@pytest.fixture(scope="module")
def page() -> str:
    return render(outcome(node("truck-consent"), node("fridge", nmea=False)))


class Outline(HTMLParser):
    """Collects tags, attributes and text, and finds tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_it_fetches_nothing(page: str) -> None:
    assert not re.search(r"https?:|//[a-z]|@import|<script|<link|<iframe|<img", page, re.IGNORECASE)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    for _, name, value in Outline(page).attributes:
        if name in ("src", "href", "data", "action", "srcset", "poster"):
            assert value.startswith("#")


def test_every_tag_is_closed_and_every_internal_link_leads_somewhere(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    ids = [value for _, name, value in outline.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {value[1:] for _, name, value in outline.attributes if name == "href"}
    links |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert links <= set(ids)


def test_figures_have_labels_captions_and_the_pages_colours(page: str) -> None:
    svgs = re.findall(r"<svg[^>]*>", page)
    assert len(svgs) == 1 + 2 * 2
    assert all('role="img"' in svg and 'aria-label="' in svg and "viewBox" in svg for svg in svgs)
    assert page.count("<figcaption>") == 1 + 2
    for part in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", part))
        assert colours
        assert all(colour == "none" or colour.startswith("var(--") for colour in colours)
        assert "<text" in part


def test_it_says_what_it_must(page: str) -> None:
    text = " ".join(" ".join(Outline(page).text).split())
    for limit in words.LIMITS:
        assert limit in text
    for needed in ("stay personal data", "raw track", "never sent", "COSE_Encrypt0", "4.2 B", "157.0 B", "233.5 B"):
        assert needed in text
    assert words.rule_words(wire.R_SAME_CELL) in text
    assert words.rule_words(wire.R_CLOCK) not in text
    assert "All 7 messages are valid" in text
    assert "Alarm sent at 07:00 UTC" in text


def test_every_rule_has_its_words_and_local_counts_are_named_so() -> None:
    for rule, _ in wire.RULES:
        assert ("stays on the node" in words.rule_words(rule)) == (rule not in wire.RULES_SENT)


def test_the_same_outcome_gives_the_same_bytes() -> None:
    assert render(outcome(node())) == render(outcome(node()))


def test_text_from_outside_is_escaped() -> None:
    evil = "<script>alert('x')</script>\"&"
    page = render(replace(outcome(node(evil)), title=evil, lead=evil, notes=[evil]))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5
    assert Outline(page).open == []


def test_invalid_messages_are_shown() -> None:
    failures = [f"truck {n}: time at time: earlier" for n in range(30)]
    page = render(outcome(node(), verdict=Verdict(3, 30, failures)))
    assert "30 of 33 messages are not valid" in page
    assert failures[0] in page
    assert failures[29] not in page
    assert "and 18 more" in page
    assert "all of them valid" not in page


def test_a_node_that_sent_nothing() -> None:
    silent = NodeFigures("silent", 0, 0, 0, 0.0, 0.0, 0.0, {})
    view = node(sent=0, figures=silent, cells=[], temperature_alarms_s=[], bytes_by_stream={})
    page = render(outcome(view, verdict=Verdict(0, 0)))
    assert "No message arrived" in page
    assert "no position was found that could be reported" in page
    assert "Nothing was reported as dropped" in page


def test_recordings_without_a_fix_and_of_one_value() -> None:
    felt = node().surroundings
    assert felt.nmea is not None
    blind = replace(
        felt, nmea=replace(felt.nmea, track=Track((), (), ())), temperature=Series((START_S,), (-40_000,))
    )
    page = render(outcome(node(surroundings=blind, cells=[])))
    assert Outline(page).open == []


@pytest.mark.parametrize("row", [15420, 1600, 19000])
def test_cells_keep_their_proportions_on_the_map(row: int) -> None:
    """A 1 km cell is drawn as wide and high as it is on the ground, whatever the latitude."""
    ring = cell_at(row, 100).ring
    svg = figures.track_map(None, [ring], "m", "a map")
    path = re.search(r'<path d="([^"]*)" clip-path="[^"]*" style="fill: var\(--accent\)', svg)
    assert path is not None
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path[1])]
    width, height = max(numbers[0::2]) - min(numbers[0::2]), max(numbers[1::2]) - min(numbers[1::2])
    assert 0.99 < width / height < 1.06


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    ring = cell_at(15420, 100).ring
    svg = figures.track_map(None, [ring], "m", "a map")
    assert "200 m" in svg
    bar = re.search(r'<path d="([^"]*)"[^>]*stroke: var\(--ink\)', svg)
    cell = re.search(r'<path d="([^"]*)" clip-path="[^"]*" style="fill: var\(--accent\)', svg)
    assert bar is not None
    assert cell is not None

    def width(path: str) -> float:
        xs = [float(number) for number in re.findall(r"-?[\d.]+", path)][0::2]
        return max(xs) - min(xs)

    assert width(bar[1]) / width(cell[1]) == pytest.approx(0.2, rel=0.03)
