"""What a certificate says of itself, as far as rules ask. Verifies no chain: the node does, in each session."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa

RSA_LEAST_BITS = 2048


def may_sign(authority: x509.Certificate) -> bool:
    """Whether its key usage, where it has one, has keyCertSign (RFC 5280, section 4.2.1.3)."""
    try:
        return authority.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def weakness(certificate: x509.Certificate) -> str | None:
    """What is weak in its public key, or beyond the node's TLS (mbedTLS: RSA and NIST curves); None: nothing."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return None if key.key_size >= RSA_LEAST_BITS else f"RSA of {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey):
        known = isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1)
        return None if known else f"on the curve {key.curve.name}"
    return "of a kind that the node cannot verify"


def is_for(certificate: x509.Certificate, host: str, authorities: Iterable[x509.Certificate]) -> bool:
    """Whether a server's certificate names `host`, a name or an address, and one of `authorities` signed it."""
    return _names(certificate, host) and any(_signed(certificate, one) for one in authorities)


def _names(certificate: x509.Certificate, host: str) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return any(_matches(name, host) for name in names.get_values_for_type(x509.DNSName))
    return address in names.get_values_for_type(x509.IPAddress)


def _matches(name: str, host: str) -> bool:
    """RFC 9525, section 6.3: a star stands for the whole first label."""
    name, host = name.lower(), host.lower()
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:] and bool(host.partition(".")[0])
    return name == host


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
