"""All that a node.toml refers to, read and put together: board, profile, network, CA certificates.

What it says of a fault names the key and never the secret behind it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from host_tools import boards
from host_tools.boards import Board
from host_tools.configure.faults import NodeTomlFaults
from host_tools.configure.nodetoml import NodeToml
from host_tools.errors import UsageError
from host_tools.keys.files import open_private
from host_tools.policy.profile import Limits, Profile, load_profile
from host_tools.provision import Network

CA_FILE_MAX_BYTES = 64 * 1024
CA_MAX_BYTES = 4096  # of the certificate that goes to the node, in DER: each session has it in RAM
KEY_FILE_MAX_BYTES = 1024


@dataclass(frozen=True)
class Parts:
    """A node.toml with what it names. base: the profile as it is; profile: with the node's own intervals and limits,
    and what narrows its positions.

    authorities, others: certificates of the CA file: those of authorities, and any else.
    """

    node: NodeToml
    board: Board
    base: Profile
    profile: Profile
    network: Network = field(repr=False)
    authorities: tuple[x509.Certificate, ...] = ()
    others: tuple[x509.Certificate, ...] = ()


def gather(node: NodeToml) -> Parts:
    """Reads what the file names. NodeTomlFaults with all that is missing or no such thing."""
    faults: list[str] = []
    board = _board(node, faults)
    base = load_profile(node.policy.profile)
    key = _wifi_key(node, faults)
    certificates = _certificates(node, faults)
    if faults:
        raise NodeTomlFaults(node.path, faults)
    authorities = tuple(one for one in certificates if is_authority(one))
    others = tuple(one for one in certificates if one not in authorities)
    # Whatever is wrong with the certificates, a CA file that is named never ends in plain TCP.
    trusted = (*authorities, *others)[:1]
    network = Network(
        node.broker.host,
        node.broker.port,
        trusted[0].public_bytes(Encoding.DER) if trusted else None,
        node.wifi.ssid,
        key,
    )
    return Parts(node, board, base, own_profile(node, base), network, authorities, others)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether its basic constraints say that it may sign others (RFC 5280, section 4.2.1.9)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _board(node: NodeToml, faults: list[str]) -> Board:
    board = boards.load(node.node.board)
    wanted = node.node.sensors
    if wanted is None:
        return board
    strange = [name for name in wanted if name not in board.sensors]
    if strange:
        there = ", ".join(board.sensors)
        faults.append(f"node.sensors: {strange[0]!r} is not on board {board.name}, which has {there}")
    if len(set(wanted)) != len(wanted):
        faults.append("node.sensors: one of them is named twice")
    return board.without(*(name for name in board.sensors if name not in wanted)) if not faults else board


def own_profile(node: NodeToml, base: Profile) -> Profile:
    """The profile with what the node has of its own; limits from degrees Celsius and g to wire units."""
    changes = {name: value for name, value in node.intervals.model_dump().items() if value is not None}
    policy = node.policy
    changes |= {"version": policy.version or base.version, "hours": policy.schedule}
    changes |= {"alarm_only": policy.alarm_only, "zones": tuple(sorted(set(policy.zones)))}
    changes |= {"scatter": policy.scatter and policy.scatter.model_dump()}
    own = node.limits
    if own is not None:
        # Three values of a tenth each: no rounding is left to do but that of binary fractions.
        low, high, shock = (
            round(value * 10) for value in (own.temperature_low_degc, own.temperature_high_degc, own.shock_g)
        )
        changes["limits"] = Limits(temperature_low=low, temperature_high=high, shock=shock)
    return Profile.model_validate({**base.model_dump(), **changes})


def _wifi_key(node: NodeToml, faults: list[str]) -> str:
    wifi = node.wifi
    if wifi.key is not None:
        return wifi.key.get_secret_value()
    if wifi.key_env is not None:
        key = os.environ.get(wifi.key_env)
        if not key:
            faults.append(f"wifi.key_env: ${wifi.key_env} is not set: put the network's key into it")
        return key or ""
    try:
        with open_private(node.beside(wifi.key_file or ""), "Wi-Fi key file") as file:
            first = file.read(KEY_FILE_MAX_BYTES).split(b"\n", 1)[0].removesuffix(b"\r")
        return first.decode("utf-8")
    except UnicodeDecodeError:
        faults.append("wifi.key_file: its first line is not UTF-8 text")
    except UsageError as error:
        faults.append(f"wifi.key_file: {error}")
    return ""


def _certificates(node: NodeToml, faults: list[str]) -> list[x509.Certificate]:
    name = node.broker.ca_file
    if name is None:
        return []
    path = node.beside(name)
    try:
        with path.open("rb") as file:
            data = file.read(CA_FILE_MAX_BYTES + 1)
    except OSError as error:
        faults.append(f"broker.ca_file: cannot read {path}: {error.strerror}")
        return []
    if b"PRIVATE KEY-----" in data:
        faults.append(
            f"broker.ca_file: {path} holds a private key: keep that where it is, and give certificates only"
        )
        return []
    try:
        if len(data) > CA_FILE_MAX_BYTES:
            raise ValueError
        found = x509.load_pem_x509_certificates(data)
        for certificate in found:
            # Read now: what stands in them is parsed when it is asked for, and may be anything.
            _ = certificate.extensions, certificate.public_key()
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType):
        faults.append(f"broker.ca_file: {path} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
        return []
    large = [one for one in found if len(one.public_bytes(Encoding.DER)) > CA_MAX_BYTES]
    if large:
        faults.append(
            f"broker.ca_file: {path} has a certificate of more than {CA_MAX_BYTES} bytes: too long for a node"
        )
    return found
