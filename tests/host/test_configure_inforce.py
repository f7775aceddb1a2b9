"""A node's configuration taken apart: what differs, whether consents go on, and the node.toml made of it."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from host_tools.configure import compiling, exporting, inforce, nodetoml
from host_tools.configure.inforce import Content, content_of, differences
from host_tools.errors import PlumveilError
from host_tools.policy.profile import FIELD_NAMES
from plumveil import wire
from tests.host.configuring import CA, NOW, SOUND, WIFI_KEY, loaded
from tests.host.keystores import TENANT


def content(folder: Path, **sections: Any) -> Content:
    compiled = compiling.compile_node(loaded(folder, **sections), 7, 1, now=NOW)
    return content_of(cbor2.loads(compiled.map_bytes))


def test_what_changes_is_told_by_its_key(tmp_path: Path) -> None:
    old = content(tmp_path)
    new = content(
        tmp_path,
        node={"power": "battery", "sensors": ["sht4x"]},
        wifi={"ssid": "quay"},
        intervals={"sample_s": 600},
        limits={"temperature_low_degc": -20, "temperature_high_degc": 8, "shock_g": 3},
        broker={"port": 8884},
    )
    assert differences(old, new) == [
        "  node.sensors: sht4x, ds18b20, lis3dh, battery, gps -> sht4x",
        "  node.power: mains -> battery",
        "  intervals.sample_s: 300 -> 600",
        "  limits.temperature_low_degc: 2 -> -20",
        "  wifi.ssid: depot -> quay",
        "  broker.port: 8883 -> 8884",
    ]


def test_nothing_changes_but_the_version(tmp_path: Path) -> None:
    old = content(tmp_path)
    assert differences(old, dataclasses.replace(old, version=8)) == []


def test_of_secrets_only_that_they_changed(tmp_path: Path) -> None:
    old, new = content(tmp_path), content(tmp_path, wifi={"key": "another key of ours"})
    lines = differences(old, new)
    assert "wifi.key: changed" in lines
    everything = [*lines, *differences(None, old), *differences(old, content(tmp_path)), repr(old)]
    assert "wifi.key: given" in everything
    assert not [line for line in everything for secret in (WIFI_KEY, "another key") if secret in line]


PARTS = compiling.compile_node(
    nodetoml.NodeToml.model_validate({**SOUND, "broker": {"host": "localhost"}}), 7, now=NOW
).map_bytes


@pytest.mark.parametrize("key", list(cbor2.loads(PARTS)))
@pytest.mark.parametrize("value", [None, "x", [], {}, b"", -1.5])
def test_a_map_of_other_parts_is_refused(key: int, value: Any) -> None:
    parts = cbor2.loads(PARTS)
    if key == wire.C_SENSORS and value == []:
        return
    if key == wire.C_BOARD and value == {}:
        return
    parts[key] = value
    with pytest.raises(PlumveilError, match="is none that this Plumveil knows"):
        content_of(parts)
    del parts[key]
    with pytest.raises(PlumveilError, match="is none that this Plumveil knows"):
        content_of(parts)


def completed(text: str) -> dict[str, Any]:
    """An export with what was left out put in again."""
    made = tomllib.loads(text)
    made["wifi"]["key"] = WIFI_KEY
    made["service"] |= {"tenant": TENANT, "jurisdiction": "EU", "endpoint_region": "EU"}
    return made


CHANGES = [
    {},
    {"intervals": {"sample_s": 600, "batch_max": 3}},
    {"limits": {"temperature_low_degc": -18.3, "temperature_high_degc": 2, "shock_g": 0.1}},
    {"node": {"board": "LILYGO_TBEAM", "sensors": ["gps"], "power": "battery"}},
    {"broker": {"host": "localhost", "port": 1883, "ca_file": None}},
    {"wifi": {"ssid": 'say "ä"\\'}},
]


@pytest.mark.parametrize("sections", CHANGES)
def test_an_export_compiles_to_what_it_was_read_from(tmp_path: Path, sections: dict[str, Any]) -> None:
    was = content(tmp_path, **sections)
    text = exporting.toml(was, "exported.pem")
    pem = exporting.ca_pem(was)
    if pem is not None:
        (tmp_path / "exported.pem").write_bytes(pem)
    node = nodetoml.NodeToml.model_validate(completed(text))
    node._path = tmp_path / "node.toml"
    again = content_of(cbor2.loads(compiling.compile_node(node, 7, now=NOW).map_bytes))
    assert again == was


def test_an_export_leaves_secrets_out_and_says_what_is_missing(tmp_path: Path) -> None:
    was = content(tmp_path)
    text = exporting.toml(was, "ca.pem")
    assert WIFI_KEY not in text
    assert "*" not in text
    made = tomllib.loads(text)
    assert made["wifi"] == {"ssid": "depot"}
    assert made["service"] == {}
    assert "intervals" not in made
    assert "limits" not in made
    assert "# key, key_file or key_env: the key is left out" in text
    assert "# tenant, jurisdiction, endpoint_region, safeguard: not on the node; it is yours to say" in text
    assert 'board = "ESP32_GENERIC"  # wired the same: virtual' in text
    assert exporting.ca_pem(was) == CA


def test_a_policy_that_waits_longer_is_nobodys(tmp_path: Path) -> None:
    was = content(tmp_path)
    longer = dataclasses.replace(was.reach, retention=(91, *was.reach.retention[1:]))
    text = exporting.toml(dataclasses.replace(was, reach=longer), "ca.pem")
    assert "# profile: none here has the node's policy, version 1" in text


def test_a_policy_or_a_wiring_of_nobodys(tmp_path: Path) -> None:
    was = content(tmp_path)
    other = dataclasses.replace(
        was, policy=was.policy.model_copy(update={"version": 9, "health_mask": False}), board={"led": 2}
    )
    text = exporting.toml(other, "ca.pem")
    made = tomllib.loads(text)
    assert "# profile: none here has the node's policy, version 9" in text
    assert "# board: no board in boards/ is wired like this one" in text
    assert made["policy"] == {}
    assert made["intervals"] == was.intervals
    assert list(made["limits"]) == list(inforce.LIMITS)


def test_a_ca_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="asn1"):
        exporting.ca_pem(dataclasses.replace(content(tmp_path), ca_der=b"\x30\x00"))


@given(st.text())
@example("\x7f\x00\u2028")
def test_any_text_comes_back(text: str) -> None:
    was = dataclasses.replace(content_of(cbor2.loads(PARTS)), ssid=text, host=text, sensors=(text,))
    made = tomllib.loads(exporting.toml(was, "ca.pem"))
    assert (made["wifi"]["ssid"], made["broker"]["host"], made["node"]["sensors"]) == (text, text, [text])
    assert all(line.isprintable() for line in differences(None, was))


def test_provision_and_the_names_here_agree() -> None:
    assert set(inforce.INTERVALS) == set(nodetoml.IntervalsSection.model_fields)
    assert list(inforce.LIMITS) == list(nodetoml.LimitsSection.model_fields)
    assert set(FIELD_NAMES) == {row[0] for row in wire.FIELDS}
