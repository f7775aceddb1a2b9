"""node.toml files for tests: one that is sound, what is changed in it, and certificates with one thing wrong each."""

from __future__ import annotations

import copy
import datetime
import ipaddress
import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from host_tools.configure import nodetoml
from host_tools.configure.nodetoml import NodeToml
from tests.host.keystores import NOW_S, TENANT

NOW = datetime.datetime.fromtimestamp(NOW_S, datetime.UTC)
DAY = datetime.timedelta(days=1)
WIFI_KEY = "sentinel blumenkohl 9"
SOUND: dict[str, Any] = {
    "node": {"board": "virtual"},
    "wifi": {"ssid": "depot", "key": WIFI_KEY},
    "broker": {"host": "mqtt.example.com", "ca_file": "ca.pem"},
    "service": {"tenant": TENANT, "jurisdiction": "EU", "endpoint_region": "EU"},
    "policy": {"profile": "general"},
}


def changed(**sections: Any) -> dict[str, Any]:
    """SOUND with some keys of sections put in their place; None takes a key, or a section, away."""
    content = copy.deepcopy(SOUND)
    for name, keys in sections.items():
        if not isinstance(keys, dict):
            content[name] = keys
            continue
        section = content.setdefault(name, {})
        section |= keys
        content[name] = {key: value for key, value in section.items() if value is not None}
    return {name: keys for name, keys in content.items() if keys is not None}


def toml(content: dict[str, Any]) -> str:
    """Sections of plain values; JSON's spelling of those is TOML's, and a date is bare."""
    lines: list[str] = []
    for name, keys in content.items():
        if not isinstance(keys, dict):
            lines.insert(0, f"{name} = {_value(keys)}")
            continue
        plain = {key: value for key, value in keys.items() if not isinstance(value, dict)}
        lines += [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in plain.items())]
        lines += [toml({f"{name}.{key}": value}) for key, value in keys.items() if isinstance(value, dict)]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime.date) else json.dumps(value, ensure_ascii=False)


def put(folder: Path, ca: bytes | None = None, **sections: Any) -> Path:
    """node.toml and ca.pem in a folder -> the former; its owner's alone."""
    path = folder / "node.toml"
    path.write_text(toml(changed(**sections)), "utf-8")
    path.chmod(0o600)
    (folder / "ca.pem").write_bytes(CA if ca is None else ca)
    return path


def loaded(folder: Path, ca: bytes | None = None, **sections: Any) -> NodeToml:
    return nodetoml.load(put(folder, ca, **sections))


Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
CA_KEY = ec.generate_private_key(ec.SECP256R1())
CA_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])


def certificate(
    *,
    ca: bool = True,
    signs: bool | None = None,
    begins: datetime.timedelta = -DAY,
    ends: datetime.timedelta = 300 * DAY,
    key: Key = CA_KEY,
    signer: Key = CA_KEY,
    names: tuple[str, ...] = (),
) -> bytes:
    """A certificate in PEM. signs: its key usage has keyCertSign, None: no key usage; names: of a server."""
    subject = CA_NAME if ca else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(CA_NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if signs is not None:
        unused = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
        )
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=signs, crl_sign=False, decipher_only=False, **unused
        )
        builder = builder.add_extension(usage, critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, algorithm).public_bytes(serialization.Encoding.PEM)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


CA = certificate()
