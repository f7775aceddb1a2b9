"""Verdicts and contents as people and programs see them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools import cells, render
from host_tools.content import Batch, Event, Health, Position
from host_tools.rules import Finding
from host_tools.sources import Source
from plumveil import wire
from tests.host import messages

START_S = 1780056000


def lines(content: Batch | Position | Health | Event) -> list[tuple[int, str]]:
    return list(render.rows(content))


def test_a_batch_is_a_line_a_reading() -> None:
    batch = Batch(START_S, 300, 3, (wire.F_TEMPERATURE, wire.F_HUMIDITY), [[48, -5, None], [90, None, None]])
    assert lines(batch) == [
        (START_S, "temperature 4.8 Cel, humidity 45 %RH"),
        (START_S + 300, "temperature -0.5 Cel"),
        (START_S + 600, "nothing"),
    ]
    assert render.content_json(batch) == {
        "start_s": START_S,
        "interval_s": 300,
        "readings": 3,
        "fields": {
            "temperature": {"unit": "Cel", "values": [4.8, -0.5, None]},
            "humidity": {"unit": "%RH", "values": [45, None, None]},
        },
    }


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (wire.F_HEAP_FREE, 15, "heap_free 122880 B"),
        (wire.F_UPTIME, 23, "uptime 82800 s"),
        (wire.F_QUEUE, 4095, "queue 4095"),
        (wire.F_RSSI, -12, "rssi -120 dBm"),
        (wire.F_BATTERY, 187, "battery 3.74 V"),
        (wire.F_SHOCK_PEAK, 160, "shock_peak 156.9 m/s2"),
        (wire.F_TEMPERATURE, -550, "temperature -55 Cel"),
        (wire.F_TEMPERATURE, 1249, "temperature 124.9 Cel"),
    ],
)
def test_values_are_plain_numbers_with_units(field: int, value: int, text: str) -> None:
    assert render.value_text(field, value) == text


@pytest.mark.parametrize("field", [row[0] for row in wire.FIELDS])
def test_no_two_values_of_a_field_look_alike(field: int) -> None:
    row = next(row for row in wire.FIELDS if row[0] == field)
    texts = [render.value_text(field, value) for value in range(row[4], row[5] + 1)]
    assert len(set(texts)) == len(texts)
    assert not any("e+" in text for text in texts)


def test_a_position_is_a_cell_with_its_uncertainty() -> None:
    cell = (3, 15372, 13974)
    reference = bytes(range(8))
    ((when, text),) = lines(Position(START_S, *cell, reference, 7))
    lat, lon = cells.centre(*cell)
    assert when == START_S
    assert text == f"area cell (1000 m) around {lat:.5f}, {lon:.5f} +-{cells.uncertainty_m(*cell)} m, consent 7"
    shown = render.content_json(Position(START_S, *cell, reference, 7))
    assert (shown["cell"], shown["consent"], shown["consent_reference"]) == (list(cell), 7, "0001020304050607")
    assert shown["feature"]["properties"]["centre"] == [lon, lat]


def test_who_may_not_know_a_consents_serial_is_shown_its_reference() -> None:
    position = Position(START_S, 3, 15372, 13974, bytes(range(8)), None)
    ((_, text),) = lines(position)
    assert text.endswith(", consent reference 0001020304050607")
    shown = render.content_json(position)
    assert (shown["consent"], shown["consent_reference"]) == (None, "0001020304050607")


def test_masked_health_shows_which_fields_and_no_value() -> None:
    values = {wire.F_UPTIME: 3, wire.F_RSSI: -6}
    assert lines(Health(START_S, values, {})) == [(START_S, "uptime 10800 s, rssi -60 dBm")]
    assert render.content_json(Health(START_S, values, {})) == {
        "t_s": START_S,
        "values": {"uptime": 10800, "rssi": -60},
        "drops": {},
        "masked": False,
    }
    masked = Health(START_S, values, None, masked=True)
    assert lines(masked) == [(START_S, "uptime masked, rssi masked; drops masked")]
    assert render.content_json(masked) == {
        "t_s": START_S,
        "values": {"uptime": None, "rssi": None},
        "drops": None,
        "masked": True,
    }


def test_what_was_dropped_stands_with_the_health() -> None:
    drops = {wire.R_NO_CONSENT: 9, wire.R_CLOCK: 2}
    assert lines(Health(START_S, {wire.F_UPTIME: 3}, drops)) == [
        (START_S, "uptime 10800 s; drops no_consent 9, clock 2")
    ]
    assert lines(Health(START_S, {}, drops)) == [(START_S, "drops no_consent 9, clock 2")]
    assert lines(Health(START_S, {}, {})) == [(START_S, "nothing")]
    assert lines(Health(START_S, {}, None, masked=True)) == [(START_S, "drops masked")]
    assert render.content_json(Health(START_S, {}, drops))["drops"] == {"no_consent": 9, "clock": 2}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Event(1, wire.E_TEMPERATURE_HIGH, 81), "temperature_high 8.1 Cel"),
        (Event(1, wire.E_TEMPERATURE_LOW, 0), "temperature_low 0 Cel"),
        (Event(1, wire.E_SHOCK, 20), "shock 19.61 m/s2"),
        (Event(1, wire.E_CONSENT, 3), "consent area"),
        (Event(1, wire.E_CONSENT, 0), "consent off"),
        (Event(1, wire.E_CONSENT, 99), "consent 99"),
        (Event(1, wire.E_EPOCHS_AHEAD, 37), "epochs_ahead 37"),
    ],
)
def test_events_in_words(event: Event, text: str) -> None:
    assert lines(event) == [(1, text)]
    shown = render.content_json(event)
    assert shown["event"] == text.split(" ", 1)[0]
    assert shown["argument"] == event.argument


def test_times_are_utc_and_never_fail() -> None:
    assert render.time_text(START_S) == "2026-05-29 12:00:00Z"
    for t_s in (0, -1, 2**31, 2**64, -(2**64)):
        assert render.time_text(t_s)


@settings(max_examples=200)
@given(st.text())
def test_file_names_cannot_command_a_terminal(name: str) -> None:
    shown = render.place_text(Source(name, 3, b"", False))
    assert shown.isprintable()
    assert len(shown) == len(name) + 3
    assert render.place_text(Source("\x1b[2J\udcff\u202e", 1, b"", False)) == "?[2J?? #1"


def test_verdicts_as_json() -> None:
    data = messages.sealed(wire.DEVICE, policy=2)
    shown = render.verdict_json(Source("a.cbor", 4, data, False), messages.verdict(data))
    assert json.loads(json.dumps(shown)) == {
        "file": "a.cbor",
        "number": 4,
        "bytes": len(data),
        "valid": True,
        "duplicate": False,
        "broken_off": False,
        "findings": [],
        "pseudonym": messages.sender(wire.DEVICE).kid.hex(),
        "step": messages.STEP,
        "policy_version": 2,
        "node": "fridge",
        "stream": "device",
        "epoch": messages.EPOCH,
        "epochs_ahead": 0,
    }
    shown = render.verdict_json(Source("a.cbor", 5, b"", True), messages.verdict(b""))
    assert shown["findings"] == [{"rule": "cose", "where": "message", "what": "empty"}]
    assert shown["broken_off"]
    assert {shown[key] for key in ("pseudonym", "step", "policy_version", "node", "stream", "epoch")} == {None}


def test_a_finding_is_a_line() -> None:
    assert render.finding_text(Finding("time", "time", "in the future")) == "time at time: in the future"
