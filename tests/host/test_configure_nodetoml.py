"""node.toml: what is taken, and that each fault is told by its key, what is the matter and what would do."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from host_tools import boards
from host_tools.configure import compiling, nodetoml, schema
from host_tools.configure import faults as faults_of
from host_tools.configure.faults import NodeTomlFaults
from host_tools.configure.nodetoml import NodeToml
from host_tools.errors import UsageError
from host_tools.policy.profile import profile_names
from tests.host.command_line import ROOT
from tests.host.configuring import CA, NOW, WIFI_KEY, certificate, changed, loaded, put, toml

EXAMPLE = ROOT / "docs" / "node.example.toml"


def faults(content: dict[str, Any]) -> list[str]:
    with pytest.raises(NodeTomlFaults) as caught:
        nodetoml.parse(toml(content).encode())
    return caught.value.faults


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    node = loaded(tmp_path)
    assert (node.node.power, node.broker.port, node.wifi.security, node.limits) == ("mains", 8883, "wpa2", None)
    assert node.path == tmp_path / "node.toml"
    assert not node.readable_by_others


FAULTS = [
    ({"node": {"board": "ESP32_GENERC"}}, "node.board: 'ESP32_GENERC' is no board; did you mean 'ESP32_GENERIC'?"),
    ({"node": {"board": None}}, "node.board: is missing; it holds name of a folder in boards/"),
    ({"node": {"sensors": ["sht4x", "gsp"]}}, "node.sensors[2]: 'gsp' is none of 'sht4x', 'ds18b20'"),
    ({"node": {"sensors": []}}, "node.sensors: "),
    ({"node": {"power": "solar"}}, "node.power: 'solar' is none of 'mains' or 'battery'"),
    ({"node": {"powr": "mains"}}, "node.powr: is no known key; did you mean 'power'?"),
    ({"node": {"profile": "general"}}, "node.profile: is no known key; it belongs into [policy]"),
    (
        {"intervals": {"sample_s": 9}},
        "intervals.sample_s: 9 is less than 10; it holds seconds between two readings, 10",
    ),
    ({"intervals": {"sample_s": 3601}}, "intervals.sample_s: 3601 is more than 3600; it holds"),
    ({"intervals": {"position_s": 299}}, "intervals.position_s: 299 is less than 300; it holds"),
    ({"intervals": {"upload_s": "60"}}, "intervals.upload_s: '60' is not a whole number; it holds seconds"),
    ({"intervals": {"upload_s": 60.5}}, "intervals.upload_s: 60.5 is not a whole number; it holds seconds"),
    ({"intervals": {"batch_max": True}}, "intervals.batch_max: true is not a whole number; it holds readings"),
    ({"intervals": {"batch_max": 61}}, "intervals.batch_max: 61 is more than 60; it holds readings"),
    (
        {"limits": {"temperature_low_degc": 2.05, "temperature_high_degc": 8, "shock_g": 3}},
        "limits.temperature_low_degc: 2.05 is no multiple of 0.1; it holds alarm below this",
    ),
    (
        {"limits": {"temperature_low_degc": 8, "temperature_high_degc": 8.0, "shock_g": 3}},
        "limits: temperature_low_degc is not below temperature_high_degc",
    ),
    ({"limits": {"shock_g": 3}}, "limits.temperature_low_degc: is missing; it holds"),
    ({"wifi": {"ssid": "x" * 33}}, "wifi.ssid: a network's name has 1 to 32 bytes"),
    ({"wifi": {"ssid": "ä" * 17}}, "wifi.ssid: a network's name has 1 to 32 bytes"),
    ({"wifi": {"key_file": "k"}}, "wifi: key and key_file given: give one of key, key_file, key_env"),
    ({"wifi": {"key": None}}, "wifi: no key given: give one of key, key_file, key_env"),
    ({"wifi": {"key": 123456789}}, "wifi.key: the value is not text in quotes; it holds the network's key"),
    ({"wifi": {"security": "wpa9"}}, "wifi.security: the value is none of 'open', 'wep', 'wpa', 'wpa2' or 'wpa3'"),
    ({"broker": {"host": "mqtts://x"}}, "broker.host: a host has letters, digits, '.' and '-' alone: no scheme"),
    ({"broker": {"port": 0}}, "broker.port: 0 is less than 1; it holds TCP port"),
    (
        {"service": {"jurisdiction": "XX"}},
        "service.jurisdiction: 'XX' is none of 'EU', 'GB', 'IN', 'US' or 'US-HIPAA'",
    ),
    (
        {"service": {"endpoint_region": "ZZ"}},
        "service.endpoint_region: 'ZZ' is none of those in `plumveil configure sch",
    ),
    ({"service": {"tenant": ""}}, "service.tenant: string should have at least 1 character; it holds the keystore's"),
    ({"policy": {"profile": "generl"}}, "policy.profile: 'generl' is no profile; did you mean 'general'?"),
    ({"policy": None}, "policy: is missing; it holds what may leave the node"),
    ({"polcy": {}}, "polcy: is no known key; did you mean 'policy'?"),
    ({"node": "virtual"}, "node: 'virtual' is not a section; it holds the board"),
    ({"nothing_like_it": 3}, "nothing_like_it: is no known key; there are: node, intervals, limits, wifi, broker"),
]


@pytest.mark.parametrize(("sections", "line"), FAULTS, ids=[f"{n} {line[:30]}" for n, (_, line) in enumerate(FAULTS)])
def test_a_fault_names_key_and_matter_and_what_would_do(sections: dict[str, Any], line: str) -> None:
    found = faults(changed(**sections))
    assert found[0].startswith(line), found
    assert len(found) == 1 or "missing" in line or "limits" in line


def test_all_faults_are_found_at_once_and_the_first_is_the_message() -> None:
    content = changed(node={"board": "x", "extra": 1}, broker={"port": 99999})
    assert len(faults(content)) == 3
    with pytest.raises(
        NodeTomlFaults, match=r"^node\.toml: node\.board: 'x' is no board.* \(and 2 more: `plumveil conf"
    ):
        nodetoml.parse(toml(content).encode())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[node", "is not TOML: Expected ']'"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"#" * (nodetoml.FILE_MAX_BYTES + 1), "is longer than 65536 bytes"),
        (b"[node]\nboard = 'a'\nboard = 'b'", "is not TOML: Cannot overwrite a value"),
    ],
)
def test_what_is_no_toml(data: bytes, words: str) -> None:
    with pytest.raises(NodeTomlFaults, match=words):
        nodetoml.parse(data)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*none.toml: No such file"):
        nodetoml.load(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="Is a directory"):
        nodetoml.load(tmp_path)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
def test_anything_else_is_an_answer(data: bytes) -> None:
    with pytest.raises(NodeTomlFaults):
        nodetoml.parse(data)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
PLACES = st.sampled_from(
    [(s, k) for s, f in NodeToml.model_fields.items() for k in ("", "key", "board", "port", "x")]
)


@given(PLACES, VALUES)
def test_any_value_anywhere_is_taken_or_told_in_one_line(place: tuple[str, str], value: Any) -> None:
    section, key = place
    content = changed()
    if key:
        content.setdefault(section, {})[key] = value
    else:
        content[section] = value
    try:
        NodeToml.model_validate(content)
    except ValidationError as error:
        for line in faults_of.lines(error, NodeToml):
            assert line.isprintable()
            assert len(line) < 700


def test_the_networks_key_is_in_no_repr_and_no_error(tmp_path: Path) -> None:
    node = loaded(tmp_path)
    compiled = compiling.compile_node(node, 1, now=NOW)
    shown = [repr(node), str(node), repr(node.wifi), repr(compiled), str(node.model_dump())]
    for wrong in (
        {"wifi": {"ssid": "x" * 40}},
        {"wifi": {"key": [WIFI_KEY]}},
        {"wifi": {"key": None, "security": WIFI_KEY}},
        {"wifi": {"key_file": WIFI_KEY}},
        {"wifi": WIFI_KEY},
        {"wifi": {"key": None, "password": WIFI_KEY}},
        {"wifi": {"key": None, "key_env": WIFI_KEY}},
    ):
        shown += faults(changed(**wrong))
    assert WIFI_KEY in compiled.network.wifi_key
    assert not [text for text in shown if WIFI_KEY in text]


def test_the_example_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMVEIL_WIFI_KEY", WIFI_KEY)
    (tmp_path / "ca.pem").write_bytes(CA)
    path = tmp_path / "node.toml"
    path.write_bytes(EXAMPLE.read_bytes())
    compiled = compiling.compile_node(nodetoml.load(path), 1, now=NOW)
    assert (compiled.network.wifi_key, compiled.profile.upload_s) == (WIFI_KEY, 1800)


def test_the_example_has_every_key_there_is() -> None:
    text = EXAMPLE.read_text("utf-8")
    written = tomllib.loads(text)
    for section, keys in schema_keys().items():
        assert section in written
        for key in keys:
            assert key in text, f"{section}.{key}"


def schema_keys() -> dict[str, list[str]]:
    made = json.loads(schema.text())
    found = {}
    for section, value in made["properties"].items():
        reference = value.get("$ref") or next(one["$ref"] for one in value["anyOf"] if "$ref" in one)
        definition = made["$defs"][reference.rpartition("/")[2]]
        assert definition["additionalProperties"] is False
        found[section] = list(definition["properties"])
    assert made["additionalProperties"] is False
    return found


def test_the_schema_knows_sections_keys_boards_and_profiles() -> None:
    keys = schema_keys()
    assert list(keys) == list(NodeToml.model_fields)
    made = json.loads(schema.text())
    assert made["$defs"]["NodeSection"]["properties"]["board"]["enum"] == boards.names()
    assert made["$defs"]["PolicySection"]["properties"]["profile"]["enum"] == profile_names()
    assert "EU" in made["$defs"]["ServiceSection"]["properties"]["endpoint_region"]["enum"]


def test_the_schema_file_is_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert schema.main(["--check"]) == 0
    monkeypatch.setattr(schema, "PATH", tmp_path / "s.json")
    assert schema.main(["--check"]) == 1
    assert schema.main([]) == 0
    assert schema.main(["--check"]) == 0
    assert schema.main(["--what"]) == 2


def test_where_the_key_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wifi.key").write_text(f"{WIFI_KEY}\r\nsecond line\n")
    (tmp_path / "wifi.key").chmod(0o600)
    node = loaded(tmp_path, wifi={"key": None, "key_file": "wifi.key"})
    assert compiling.compile_node(node, 1, now=NOW).network.wifi_key == WIFI_KEY
    (tmp_path / "wifi.key").chmod(0o644)
    with pytest.raises(NodeTomlFaults, match=r"wifi.key_file: .*may be read by others"):
        compiling.compile_node(node, 1, now=NOW)
    node = loaded(tmp_path, wifi={"key": None, "key_env": "THE_KEY"})
    with pytest.raises(NodeTomlFaults, match=r"wifi.key_env: \$THE_KEY is not set"):
        compiling.compile_node(node, 1, now=NOW)
    monkeypatch.setenv("THE_KEY", WIFI_KEY)
    assert compiling.compile_node(node, 1, now=NOW).network.wifi_key == WIFI_KEY


@pytest.mark.parametrize(
    ("ca", "words"),
    [
        (b"", "holds no certificate in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate in PEM"),
        (CA + b"-----BEGIN PRIVATE KEY-----\n", "holds a private key"),
        (b"x" * 70000, "holds no certificate in PEM"),
        (certificate(names=tuple(f"name-{n}.example.com" for n in range(200))), "more than 4096 bytes"),
    ],
    ids=["empty", "not DER", "with key", "long", "large"],
)
def test_a_ca_file_that_is_none(tmp_path: Path, ca: bytes, words: str) -> None:
    with pytest.raises(NodeTomlFaults, match=f"broker.ca_file: .*{words}"):
        compiling.compile_node(loaded(tmp_path, ca), 1, now=NOW)
    path = put(tmp_path, broker={"ca_file": "none.pem"})
    with pytest.raises(NodeTomlFaults, match=r"broker.ca_file: cannot read .*none.pem: No such file"):
        compiling.compile_node(nodetoml.load(path), 1, now=NOW)


@pytest.mark.parametrize(
    ("sensors", "words"), [(["ds18b20"], None), (["gps", "gps"], "named twice"), (["battery"], "'battery' is not on")]
)
def test_sensors_are_the_boards(tmp_path: Path, sensors: list[str], words: str | None) -> None:
    node = loaded(
        tmp_path, node={"board": "LILYGO_TBEAM" if words and "not on" in words else "virtual", "sensors": sensors}
    )
    if words is None:
        assert compiling.compile_node(node, 1, now=NOW).board.sensors == tuple(sensors)
    else:
        with pytest.raises(NodeTomlFaults, match=f"node.sensors: .*{words}"):
            compiling.compile_node(node, 1, now=NOW)
