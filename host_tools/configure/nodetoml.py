"""node.toml, what an engineer writes of one node, as checked data.

Holds what is typed and nothing it refers to: no file named in it is read here, and no secret in it is ever shown.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)

from host_tools import boards
from host_tools.boards import Sensor
from host_tools.configure import faults, regions
from host_tools.configure.faults import NodeTomlFaults
from host_tools.configure.policytoml import Day, PolicySection, Section
from host_tools.errors import UsageError
from host_tools.registry import Text
from plumveil import wire

FILE_MAX_BYTES = 64 * 1024
POWER = ("mains", "battery")  # index: wire.C_POWER
SSID_MAX_BYTES = 32  # IEEE 802.11-2020, 9.4.2.2
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")


def _board(name: str) -> str:
    return faults.known(name, boards.names(), "board")


def _ssid(text: str) -> str:
    if not 0 < len(text.encode("utf-8")) <= SSID_MAX_BYTES or not text.isprintable():
        raise ValueError(f"a network's name has 1 to {SSID_MAX_BYTES} bytes, all printable")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("a host has letters, digits, '.' and '-' alone: no scheme, no port, no path")
    return text


class NodeSection(Section):
    """[node]"""

    name: Text | None = Field(
        None,
        description="the node's name in the keystore, used once and never again; without it the keystore knows the"
        " node by its board",
    )
    board: Annotated[str, AfterValidator(_board)] = Field(
        description="name of a folder in boards/, as `plumveil boards` lists them",
        json_schema_extra=lambda schema: schema.update(enum=[*boards.names()]),
    )
    sensors: Annotated[tuple[Sensor, ...], Field(min_length=1, strict=False)] | None = Field(
        None, description="those of the board's sensors that are fitted; default: all"
    )
    power: Literal["mains", "battery"] = Field(
        "mains", description="what the node runs on: battery sleeps between steps"
    )


class IntervalsSection(Section):
    """[intervals]: each by default the profile's."""

    sample_s: Annotated[int, Field(ge=10, le=wire.INTERVAL_MAX_S)] | None = Field(
        None, description=f"seconds between two readings, 10 to {wire.INTERVAL_MAX_S}"
    )
    position_s: Annotated[int, Field(ge=wire.POSITION_TIME_S, le=86400)] | None = Field(
        None, description=f"seconds between two positions, {wire.POSITION_TIME_S} to 86400"
    )
    device_s: Annotated[int, Field(ge=600, le=86400)] | None = Field(
        None, description="seconds between two reports of the node's health, 600 to 86400"
    )
    upload_s: Annotated[int, Field(ge=60, le=86400)] | None = Field(
        None, description="seconds between two uploads, 60 to 86400; an alarm does not wait for one"
    )
    batch_max: Annotated[int, Field(ge=1, le=wire.BATCH_MAX)] | None = Field(
        None, description=f"readings in one message, 1 to {wire.BATCH_MAX}"
    )


class LimitsSection(Section):
    """[limits]: what raises an alarm; without this section the profile's."""

    temperature_low_degc: Annotated[float, Field(ge=-55, le=125, multiple_of=0.1)] = Field(
        description="alarm below this, degrees Celsius, -55 to 125 in steps of 0.1"
    )
    temperature_high_degc: Annotated[float, Field(ge=-55, le=125, multiple_of=0.1)] = Field(
        description="alarm above this, degrees Celsius, -55 to 125 in steps of 0.1"
    )
    shock_g: Annotated[float, Field(ge=0.1, le=16, multiple_of=0.1)] = Field(
        description="alarm from this on, g (9.80665 m/s2), 0.1 to 16 in steps of 0.1"
    )

    @model_validator(mode="after")
    def _ordered(self) -> LimitsSection:
        if self.temperature_low_degc >= self.temperature_high_degc:
            raise ValueError("temperature_low_degc is not below temperature_high_degc: swap or change them")
        return self


class WifiSection(Section):
    """[wifi]: the network, and one way to its key."""

    ssid: Annotated[str, AfterValidator(_ssid)] = Field(description="the network's name, 1 to 32 bytes")
    key: SecretStr | None = Field(
        None,
        description="the network's key, 8 to 63 characters or 64 hexadecimal digits; better in key_file or key_env",
    )
    key_file: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="file whose first line is the key, readable by its owner alone; from this file's folder"
    )
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")] | None = Field(
        None, description="environment variable that holds the key"
    )
    security: Literal["open", "wep", "wpa", "wpa2", "wpa3"] = Field(
        "wpa2", description="how the access point is secured; nothing below wpa2 passes"
    )

    @model_validator(mode="after")
    def _one_key(self) -> WifiSection:
        given = [name for name in ("key", "key_file", "key_env") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"{' and '.join(given) or 'no key'} given: give one of key, key_file, key_env")
        return self


class BrokerSection(Section):
    """[broker]: where messages go."""

    host: Annotated[str, AfterValidator(_host)] = Field(
        description="host name of the MQTT broker, as it stands in its certificate"
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8883, description="TCP port, 1 to 65535")
    ca_file: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="PEM file with the one CA certificate the node trusts; from this file's folder. Needed for any"
        " broker but one on the node's own loopback",
    )


class ServiceSection(Section):
    """[service]: whose data these are, where they arise and where they go."""

    tenant: Text = Field(description="the keystore's tenant")
    jurisdiction: Literal[regions.JURISDICTIONS] = Field(  # type: ignore[valid-type]
        description="whose law the node's data stand under: " + regions.described(regions.JURISDICTION_NAMES)
    )
    endpoint_region: Literal[regions.REGIONS] = Field(  # type: ignore[valid-type]
        description="where the broker and what is behind it stand: EEA, or a country's ISO 3166-1 code"
    )
    safeguard: Literal[regions.SAFEGUARDS] | None = Field(  # type: ignore[valid-type]
        None,
        description="what the transfer rests on when the two differ: " + regions.described(regions.SAFEGUARD_NAMES),
    )
    safeguard_until: Day | None = Field(
        None,
        description="last day (UTC) on which that holds: after it the node sends nothing, and its readings wait;"
        " without it there is no end",
    )


class NodeToml(Section):
    """One node's file; sections as attributes."""

    node: NodeSection = Field(description="the board, and what is fitted to it")
    intervals: IntervalsSection = Field(
        default_factory=lambda: IntervalsSection.model_validate({}), description="how often; by default the profile's"
    )
    limits: LimitsSection | None = Field(None, description="what raises an alarm; by default the profile's")
    wifi: WifiSection = Field(description="the network the node joins")
    broker: BrokerSection = Field(description="where messages go")
    service: ServiceSection = Field(description="whose data these are, where they arise and go")
    policy: PolicySection = Field(description="what may leave the node, when and how precisely")

    _path: Path = PrivateAttr(default=Path("node.toml"))
    _readable_by_others: bool = PrivateAttr(default=False)

    @property
    def path(self) -> Path:
        """The file it was read from."""
        return self._path

    @property
    def readable_by_others(self) -> bool:
        """Whether that file may be read by others than its owner."""
        return self._readable_by_others

    def beside(self, name: str) -> Path:
        """A file named in it: from its own folder, unless absolute."""
        return self._path.parent / name


def load(path: Path) -> NodeToml:
    """Reads a node.toml. UsageError when it cannot be read, NodeTomlFaults with all that is wrong in it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}; `plumveil configure schema` says what it holds"
        ) from None
    node = parse(data, path)
    node._readable_by_others = stat.S_ISREG(mode) and bool(stat.S_IMODE(mode) & 0o077)
    return node


def parse(data: bytes, path: Path = Path("node.toml")) -> NodeToml:
    """The content of a node.toml at `path`. NodeTomlFaults."""
    if len(data) > FILE_MAX_BYTES:
        raise NodeTomlFaults(path, [f"is longer than {FILE_MAX_BYTES} bytes: this is no node.toml"])
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise NodeTomlFaults(path, ["is not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        raise NodeTomlFaults(path, [f"is not TOML: {error}"]) from None
    try:
        node = NodeToml.model_validate(content)
    except ValidationError as error:
        raise NodeTomlFaults(path, faults.lines(error, NodeToml)) from None
    node._path = path
    return node
