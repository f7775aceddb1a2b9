"""What a configuration must keep before anything of it is written, each rule with the reason it is there.

A rule says what is wrong and what would do, in one line, and never repeats a secret. None can be switched off.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from host_tools.configure import certificates, regions
from host_tools.configure.faults import NodeTomlFaults
from host_tools.configure.parts import Parts
from host_tools.configure.policytoml import midnight_s
from host_tools.configure.weak_keys import is_known
from host_tools.policy.profile import SHOCK_MAX
from plumveil import wire

LOOPBACK = ("localhost", "127.0.0.1", "::1")  # as plumveil.uplink has it
NODE_FILES = ("/webrepl_cfg.py", "/boot.py", "/main.py")  # of a node on the line, for _webrepl
# How the clauses begin that a profile has to stand on, by jurisdiction. India's law is younger than most profiles and
# asks for no more than they keep; for other data in the United States there is no such law.
_STANDS_ON = {"EU": ("GDPR ",), "GB": ("UK GDPR ",), "IN": ("DPDP ", "GDPR "), "US-HIPAA": ("45 CFR 164.",)}
_HEX_KEY = re.compile(r"[0-9A-Fa-f]{64}")
_WEBREPL = re.compile(rb"^[^#\n]*\bwebrepl\b", re.MULTILINE)


@dataclass(frozen=True)
class Subject:
    """What rules look at. now: the present, with its zone; node_files: those of NODE_FILES that a node on the line
    has, or None where no node is there."""

    parts: Parts = field(repr=False)
    now: datetime
    node_files: Mapping[str, bytes] | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Rule:
    """One rule: name, why it is there (for a subject, where that differs), and what it says against a subject (None:
    nothing)."""

    name: str
    reason: str | Callable[[Subject], str]
    fault: Callable[[Subject], str | None]


def faults(subject: Subject) -> list[str]:
    """What speaks against a configuration: a line each, empty when nothing does."""
    found = [(rule, rule.fault(subject)) for rule in RULES]
    return [f"{fault} [{_reason(rule, subject)}]" for rule, fault in found if fault is not None]


def _reason(rule: Rule, subject: Subject) -> str:
    return rule.reason if isinstance(rule.reason, str) else rule.reason(subject)


def check(parts: Parts, node_files: Mapping[str, bytes] | None = None, now: datetime | None = None) -> None:
    """NodeTomlFaults with all that `faults` finds."""
    found = faults(Subject(parts, now or datetime.now(UTC), node_files))
    if found:
        raise NodeTomlFaults(parts.node.path, found)


def _tls(subject: Subject) -> str | None:
    broker = subject.parts.node.broker
    if broker.ca_file is not None or broker.host in LOOPBACK:
        return None
    return (
        "broker.ca_file: is missing, and without it the node would speak plain TCP: give the PEM file of the CA that"
        " signed the broker's certificate"
    )


def _one_authority(subject: Subject) -> str | None:
    parts = subject.parts
    if parts.node.broker.ca_file is None or len(parts.authorities) == 1:
        return None
    if parts.authorities:
        return "broker.ca_file: holds more than one CA certificate: leave the one that signs the broker's certificate"
    return "broker.ca_file: holds a certificate, but of no CA: give the one of the authority that signed it"


def _authority_signs(subject: Subject) -> str | None:
    if all(certificates.may_sign(one) for one in subject.parts.authorities):
        return None
    return "broker.ca_file: the CA's key usage does not let it sign certificates: give the CA that signs the broker's"


def _authority_in_date(subject: Subject) -> str | None:
    for one in subject.parts.authorities:
        if subject.now >= one.not_valid_after_utc:
            ended = f"{one.not_valid_after_utc:%Y-%m-%d}"
            return f"broker.ca_file: the CA certificate ended on {ended}: give the present one"
        if subject.now < one.not_valid_before_utc:
            begins = f"{one.not_valid_before_utc:%Y-%m-%d}"
            return (
                f"broker.ca_file: the CA certificate begins on {begins} only: give the present one, or set the clock"
            )
    return None


def _authority_strong(subject: Subject) -> str | None:
    weak = [why for one in subject.parts.authorities if (why := certificates.weakness(one))]
    return (
        f"broker.ca_file: the CA's key is {weak[0]}: use RSA of 2048 bits or more, or a NIST curve" if weak else None
    )


def _host_in_certificate(subject: Subject) -> str | None:
    parts = subject.parts
    host = parts.node.broker.host
    if host in LOOPBACK:
        return None
    if parts.others and parts.authorities:
        if any(certificates.is_for(one, host, parts.authorities) for one in parts.others):
            return None
        return (
            f"broker.host: no server certificate in the CA file is for {host!r} and signed by that CA: name the"
            " broker as its certificate does"
        )
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return (
        f"broker.host: {host} is an address, which few certificates name: give the host's name, or put the broker's"
        " certificate, with that address in it, into the CA file behind the CA's"
    )


def _wifi_secured(subject: Subject) -> str | None:
    security = subject.parts.node.wifi.security
    if security in ("wpa2", "wpa3"):
        return None
    return f"wifi.security: {security!r} lets anybody near in or listen: use wpa2 or wpa3"


def _wifi_key_length(subject: Subject) -> str | None:
    key = subject.parts.network.wifi_key
    # With less than 8 characters the chip would join a network of any kind (esp_wifi_types.h, wifi_scan_threshold_t).
    if _HEX_KEY.fullmatch(key) or (8 <= len(key) <= 63 and key.isascii() and key.isprintable()):
        return None
    return "wifi key: a WPA key has 8 to 63 printable ASCII characters, or 64 hexadecimal digits"


def _wifi_key_own(subject: Subject) -> str | None:
    if not is_known(subject.parts.network.wifi_key, subject.parts.network.wifi_ssid):
        return None
    return "wifi key: is a default, or among the first that are tried: give the network one of its own"


def _file_private(subject: Subject) -> str | None:
    node = subject.parts.node
    if node.wifi.key is None or not node.readable_by_others:
        return None
    return f"wifi.key: others may read this file: run chmod 600 {node.path}, or use key_file or key_env"


def _region(subject: Subject) -> str | None:
    service = subject.parts.node.service
    fault = regions.transfer_fault(service.jurisdiction, service.endpoint_region, service.safeguard)
    return None if fault is None else f"service.safeguard: {fault}"


def _transfer(subject: Subject) -> str:
    return regions.LAWS[subject.parts.node.service.jurisdiction].clause


def _intervals(subject: Subject) -> str | None:
    for name in ("sample_s", "position_s", "device_s"):
        own, least = getattr(subject.parts.profile, name), getattr(subject.parts.base, name)
        if own < least:
            profile = subject.parts.base.name
            return f"intervals.{name}: {own} is more often than profile {profile!r} allows: use {least} or more"
    return None


def _policy_version(subject: Subject) -> str | None:
    own, base = subject.parts.node.policy.version, subject.parts.base
    if own is None or own >= base.version:
        return None
    return (
        f"policy.version: {own} is below that of profile {base.name!r}: use {base.version} or more, or leave it out"
    )


def _alarms(subject: Subject) -> str | None:
    profile = subject.parts.profile
    if not profile.alarm_only or profile.limits is not None:
        return None
    return "policy.alarm_only: without limits there is no alarm, and never a position: give [limits]"


def _shock_alarm(subject: Subject) -> str | None:
    own, base = subject.parts.node.limits, subject.parts.base
    if own is None or "shock_peak" in base.fields:
        return None
    usual_g = (SHOCK_MAX if base.limits is None else base.limits.shock) / 10
    if own.shock_g == usual_g:
        return None
    return (
        f"limits.shock_g: profile {base.name!r} lets no shock leave, so that there is no alarm of it: leave it at"
        f" {usual_g:g}, or use a profile with shock_peak"
    )


def _profile_of_the_law(subject: Subject) -> str | None:
    jurisdiction, base = subject.parts.node.service.jurisdiction, subject.parts.base
    laws = _STANDS_ON.get(jurisdiction)
    if laws is None or any(clause.startswith(laws) for rule in base.rules.values() for clause in rule.basis):
        return None
    return (
        f"policy.profile: {base.name!r} stands on no clause that holds for service.jurisdiction {jurisdiction!r}: use"
        f" a profile that cites {' or '.join(law.strip() for law in laws)}, or correct the jurisdiction"
    )


def _safeguard_until(subject: Subject) -> str | None:
    service = subject.parts.node.service
    if service.safeguard_until is None:
        return None
    if service.safeguard is None:
        return "service.safeguard_until: there is no service.safeguard that could end: leave it out"
    if midnight_s(service.safeguard_until) + wire.EPOCH_S <= subject.now.timestamp():
        return (
            f"service.safeguard_until: {service.safeguard_until} is past, and nothing could be sent: renew it first"
        )
    return None


def _webrepl(subject: Subject) -> str | None:
    files = subject.node_files or {}
    if "/webrepl_cfg.py" in files:
        return "the node has /webrepl_cfg.py, so WebREPL is set up: remove that file (`mpremote rm :webrepl_cfg.py`)"
    starts = [path for path, data in files.items() if _WEBREPL.search(data)]
    return f"the node's {starts[0]} starts WebREPL: flash the node anew" if starts else None


_ENCRYPTED = "GDPR Art. 32(1)(a); ETSI EN 303 645 provision 5.5-1"
_OWN_LAW = "docs/policy.md: each rule of a profile stands on a clause, and holds under that law"
_MINIMAL = "GDPR Art. 5(1)(c)"
RULES = (
    Rule("tls", _ENCRYPTED, _tls),
    Rule("one CA", "RFC 5280 section 4.2.1.9", _one_authority),
    Rule("CA signs", "RFC 5280 section 4.2.1.3", _authority_signs),
    Rule("CA in date", "RFC 5280 section 4.1.2.5", _authority_in_date),
    Rule("CA strong", "NIST SP 800-131A section 3", _authority_strong),
    Rule("host in certificate", "RFC 9525 section 6", _host_in_certificate),
    Rule("Wi-Fi secured", _ENCRYPTED, _wifi_secured),
    Rule("Wi-Fi key length", "IEEE 802.11-2020 annex J.4", _wifi_key_length),
    Rule("Wi-Fi key own", "ETSI EN 303 645 provision 5.1-1", _wifi_key_own),
    Rule("file private", "ETSI EN 303 645 provision 5.4-1", _file_private),
    Rule("region", _transfer, _region),
    Rule("safeguard in date", _transfer, _safeguard_until),
    Rule("profile of the law", _OWN_LAW, _profile_of_the_law),
    Rule("intervals", _MINIMAL, _intervals),
    Rule("policy version", "GDPR Art. 5(1)(b)", _policy_version),
    Rule("alarms", _MINIMAL, _alarms),
    Rule("shock alarm", _MINIMAL, _shock_alarm),
    Rule("WebREPL off", "ETSI EN 303 645 provision 5.6-1", _webrepl),
)
