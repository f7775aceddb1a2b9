"""What is compiled is what the node's own code reads (the firmware's Config), and what is forged nobody takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools import boards, provision
from host_tools.configure import compiling
from host_tools.configure.compiling import compile_node, seal, unseal
from host_tools.configure.nodetoml import NodeToml
from host_tools.policy.compiling import policy_record
from host_tools.policy.profile import load_profile
from plumveil import wire
from plumveil.config import Config
from plumveil.errors import ConfigError
from tests.host.configuring import NOW, WIFI_KEY, loaded

K_CONFIG = bytes(range(32))


def read(folder: Path, version: int = 7, widened: int | None = None, **sections: Any) -> Config:
    """The node's own reading of a node.toml."""
    return Config(seal(compile_node(loaded(folder, **sections), version, widened, now=NOW), K_CONFIG), K_CONFIG)


def test_the_node_reads_what_was_written(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        widened=0,
        node={"sensors": ["battery", "sht4x"], "power": "battery"},
        intervals={"sample_s": 600, "position_s": 900, "device_s": 43200, "upload_s": 120, "batch_max": 12},
        limits={"temperature_low_degc": -18.3, "temperature_high_degc": 2, "shock_g": 1.5},
        broker={"port": 8884},
    )
    policy = config.policy
    assert config.version == 7
    assert (policy.sample_s, policy.position_s, policy.device_s, policy.upload_s) == (600, 900, 43200, 120)
    assert (policy.batch_max, policy.limits, policy.version) == (12, [-183, 20, 15], 1)
    assert config.sensors == ["sht4x", "battery"]
    assert config.power == wire.POWER_BATTERY
    assert config.wifi == ["depot", WIFI_KEY]
    assert config.broker[:2] == ["mqtt.example.com", 8884]
    assert config.broker[2][:1] == b"\x30"
    assert config.board == provision.board_numbers(boards.load("virtual"))
    assert policy.widened == 0


def test_what_is_left_out_is_the_profiles(tmp_path: Path) -> None:
    config = read(tmp_path)
    profile = load_profile("general")
    policy = config.policy
    assert (policy.sample_s, policy.upload_s, policy.batch_max) == (
        profile.sample_s,
        profile.upload_s,
        profile.batch_max,
    )
    assert policy.limits == [20, 80, 30]
    assert policy.fields == profile.steps()
    assert config.power == wire.POWER_MAINS
    assert config.sensors == list(boards.load("virtual").sensors)
    assert policy.widened == profile.version


@pytest.mark.parametrize("board", boards.names())
def test_every_board_fits_into_a_configuration(tmp_path: Path, board: str) -> None:
    assert read(tmp_path, node={"board": board}).board == provision.board_numbers(boards.load(board))


@given(st.integers(-550, 1249), st.integers(1, 160))
def test_a_limit_in_tenths_is_that_many_wire_units(tenths: int, shock: int) -> None:
    limits = {"temperature_low_degc": tenths / 10, "temperature_high_degc": 125, "shock_g": shock / 10}
    node = NodeToml.model_validate(
        {
            "node": {"board": "virtual"},
            "limits": limits,
            "wifi": {"ssid": "depot", "key": WIFI_KEY},
            "broker": {"host": "localhost"},
            "service": {"tenant": "acme", "jurisdiction": "EU", "endpoint_region": "EU"},
            "policy": {"profile": "general"},
        }
    )
    compiled = compile_node(node, 1, now=NOW)
    assert compiled.profile.limits is not None
    assert (compiled.profile.limits.temperature_low, compiled.profile.limits.shock) == (tenths, shock)


def test_the_policy_on_record_is_the_profiles(tmp_path: Path) -> None:
    compiled = compile_node(loaded(tmp_path, intervals={"sample_s": 600}), 1, now=NOW)
    assert compiled.policy == policy_record(load_profile("general"))


@pytest.mark.parametrize("version", [0, -1, compiling.VERSION_MAX + 1])
def test_a_version_is_a_small_positive_number(tmp_path: Path, version: int) -> None:
    with pytest.raises(ValueError, match="no version"):
        compile_node(loaded(tmp_path), version, now=NOW)


def test_the_largest_version_is_one_to_the_node(tmp_path: Path) -> None:
    assert read(tmp_path, compiling.VERSION_MAX).version == compiling.VERSION_MAX


def test_a_file_is_authentic_under_its_key_alone(tmp_path: Path) -> None:
    file = seal(compile_node(loaded(tmp_path), 3, now=NOW), K_CONFIG)
    parts = unseal(file, K_CONFIG)
    assert parts is not None
    assert parts[wire.C_VERSION] == 3
    assert unseal(file, None) == parts
    assert unseal(file, bytes(32)) is None
    for at in range(len(file)):
        forged = file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :]
        assert unseal(forged, K_CONFIG) is None
        with pytest.raises(ConfigError):
            Config(forged, K_CONFIG)


@given(st.binary(max_size=60))
def test_anything_else_is_no_file(data: bytes) -> None:
    assert unseal(data, K_CONFIG) is None
    unproven = unseal(data, None)
    assert unproven is None or isinstance(unproven, dict)


@pytest.mark.parametrize(
    "deep", [b"\x81" * 16000 + b"\x00", b"\xa1\x00" * 8000 + b"\x00", b"\xd8\x1c" * 8000 + b"\x00"]
)
def test_a_deep_file_is_none(deep: bytes) -> None:
    assert unseal(deep, None) is None
    assert unseal(cbor2.dumps([deep, bytes(32)]), None) is None
