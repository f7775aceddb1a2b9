"""Secure configuration: each rule is broken once, alone, and says so; and what keeps all of them passes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from host_tools.configure import compiling, nodetoml, rules
from host_tools.configure.faults import NodeTomlFaults
from host_tools.configure.nodetoml import NodeToml
from host_tools.configure.parts import gather
from host_tools.configure.rules import Subject
from host_tools.configure.weak_keys import is_known
from host_tools.policy import profile as profiles
from host_tools.simulate.runner import WIFI
from plumveil import uplink
from tests.host.configuring import CA, CA_KEY, DAY, NOW, WIFI_KEY, certificate, loaded, put

SERVER_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
WEAK_KEY = rsa.generate_private_key(65537, 1024)
STRONG_KEY = rsa.generate_private_key(65537, 2048)
K1_KEY = ec.generate_private_key(ec.SECP256K1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def server(*names: str, signer: ec.EllipticCurvePrivateKey = CA_KEY) -> bytes:
    return certificate(ca=False, key=SERVER_KEY, names=names, signer=signer)


def broken(node: NodeToml, node_files: dict[str, bytes] | None = None) -> list[tuple[str, str]]:
    """(rule, what it says) of the rules that a node.toml breaks."""
    subject = Subject(gather(node), NOW, node_files)
    return [(rule.name, fault) for rule in rules.RULES if (fault := rule.fault(subject)) is not None]


TODAY = NOW.date()
DAY_BEFORE = TODAY - DAY


@pytest.fixture(autouse=True)
def second_profile(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile `second` beside those there are: of version 2, and without limits; and `still`, without shock."""
    text = (profiles.PROFILES_DIR / "general.toml").read_text("utf-8")
    folder = tmp_path_factory.mktemp("profiles")
    (folder / "general.toml").write_text(text, "utf-8")
    second = text.replace('name = "general"', 'name = "second"').replace("version = 1 ", "version = 2 ")
    (folder / "second.toml").write_text(second[: second.index("[limits]")], "utf-8")
    for name in ("india", "healthcare", "healthcare-us"):
        (folder / f"{name}.toml").write_text((profiles.PROFILES_DIR / f"{name}.toml").read_text("utf-8"), "utf-8")
    still = (folder / "healthcare.toml").read_text("utf-8").replace('name = "healthcare"', 'name = "still"')
    (folder / "still.toml").write_text(still, "utf-8")
    monkeypatch.setattr(profiles, "PROFILES_DIR", folder)


# rule -> [(CA file, sections, words of what it says)]
BREAKS: dict[str, list[tuple[bytes | None, dict[str, Any], str]]] = {
    "tls": [
        (None, {"broker": {"ca_file": None}}, "is missing, and without it the node would speak plain TCP"),
        (None, {"broker": {"ca_file": None, "host": "127.0.0.2.example.com", "port": 8883}}, "would speak plain TCP"),
    ],
    "one CA": [
        (server("mqtt.example.com"), {}, "holds a certificate, but of no CA"),
        (CA + certificate(), {}, "holds more than one CA certificate"),
    ],
    "CA signs": [(certificate(signs=False), {}, "does not let it sign certificates")],
    "CA in date": [
        (certificate(begins=-9 * DAY, ends=-DAY), {}, r"ended on 2026-07-15"),
        (certificate(begins=-9 * DAY, ends=0 * DAY), {}, r"ended on 2026-07-16"),
        (certificate(begins=DAY), {}, r"begins on 2026-07-17 only"),
    ],
    "CA strong": [
        (certificate(key=WEAK_KEY, signer=WEAK_KEY), {}, "is RSA of 1024 bits"),
        (certificate(key=K1_KEY, signer=K1_KEY), {}, "on the curve secp256k1"),
        (certificate(key=ED_KEY, signer=ED_KEY), {}, "of a kind that the node cannot verify"),
    ],
    "host in certificate": [
        (None, {"broker": {"host": "192.0.2.1"}}, "192.0.2.1 is an address, which few certificates name"),
        (None, {"broker": {"host": "2001:db8::1"}}, "is an address"),
        (CA + server("192.0.2.2"), {"broker": {"host": "192.0.2.1"}}, "no server certificate in the CA file is for"),
        (CA + server("other.example.com"), {}, "no server certificate in the CA file is for 'mqtt.example.com'"),
        (CA + server("*.com"), {}, "no server certificate in the CA file is for"),
        (CA + server(), {}, "no server certificate in the CA file is for"),
        (CA + server("mqtt.example.com", signer=OTHER_KEY), {}, "and signed by that CA"),
    ],
    "Wi-Fi secured": [
        (None, {"wifi": {"security": security}}, f"'{security}' lets anybody near")
        for security in ("open", "wep", "wpa")
    ],
    "Wi-Fi key length": [
        (None, {"wifi": {"key": key}}, "a WPA key has 8 to 63 printable ASCII characters")
        for key in ("blumkhl", "Blumenkohl" * 6 + "9876", "blümenkohl", "blumen\tkohl", "0123456789abcdeg" * 4)
    ],
    "Wi-Fi key own": [
        (None, {"wifi": {"key": key}}, "is a default")
        for key in (
            "password",
            "PassWord",
            "changeme",
            "12345678",
            "87654321",
            "0000000000",
            "depotdepot",
            "qwertyui",
        )
    ],
    "region": [
        (None, {"service": {"endpoint_region": "US"}}, "data of EU go to US and no safeguard is stated"),
        (None, {"service": {"endpoint_region": "US", "safeguard": "adequacy"}}, "'adequacy' is no ground for that"),
    ],
    "safeguard in date": [
        (None, {"service": {"safeguard_until": DAY_BEFORE}}, "there is no service.safeguard that could end"),
        (
            None,
            {"service": {"endpoint_region": "US", "safeguard": "scc", "safeguard_until": DAY_BEFORE}},
            "service.safeguard_until: 2026-07-15 is past",
        ),
    ],
    "policy version": [
        (None, {"policy": {"profile": "second", "version": 1}}, "1 is below that of profile 'second'")
    ],
    "shock alarm": [
        (
            None,
            {
                "policy": {"profile": "still"},
                "limits": {"temperature_low_degc": 2.0, "temperature_high_degc": 8.0, "shock_g": 3.0},
            },
            "profile 'still' lets no shock leave, so that there is no alarm of it: leave it at 16,",
        )
    ],
    "profile of the law": [
        (
            None,
            {"service": {"jurisdiction": "US-HIPAA", "endpoint_region": "US", "safeguard": "baa"}},
            r"'general' stands on no clause that holds for .*'US-HIPAA': use a profile that cites 45 CFR 164",
        ),
        (
            None,
            {
                "policy": {"profile": "healthcare-us"},
                "service": {"endpoint_region": "US", "safeguard": "scc"},
            },
            "'healthcare-us' stands on no clause that holds for service.jurisdiction 'EU'",
        ),
        (None, {"policy": {"profile": "india"}}, "'india' stands on no clause"),
        (
            None,
            {"service": {"jurisdiction": "IN", "endpoint_region": "IN"}, "policy": {"profile": "healthcare-us"}},
            "",
        ),
        (None, {"service": {"jurisdiction": "GB", "endpoint_region": "GB"}, "policy": {"profile": "india"}}, ""),
    ],
    "alarms": [(None, {"policy": {"profile": "second", "alarm_only": True}}, "without limits there is no alarm")],
    "intervals": [
        (
            None,
            {"intervals": {"sample_s": 299}},
            "sample_s: 299 is more often than profile 'general' allows: use 300",
        ),
        (None, {"intervals": {"device_s": 21599}}, "device_s: 21599 is more often"),
    ],
}
CASES = [(name, *case) for name, cases in BREAKS.items() for case in cases]


def test_a_sound_one_breaks_none(tmp_path: Path) -> None:
    assert broken(loaded(tmp_path)) == []


@pytest.mark.parametrize(("name", "ca", "sections", "words"), CASES, ids=[f"{n} {c[0]}" for n, c in enumerate(CASES)])
def test_each_rule_is_broken_alone(
    tmp_path: Path, name: str, ca: bytes | None, sections: dict[str, Any], words: str
) -> None:
    found = broken(loaded(tmp_path, ca, **sections))
    assert [rule for rule, _ in found] == [name]
    assert re.search(words, found[0][1]), found


def test_every_rule_has_a_test_that_breaks_it() -> None:
    assert set(BREAKS) | {"file private", "WebREPL off"} == {rule.name for rule in rules.RULES}
    assert all(rule.reason for rule in rules.RULES)


@pytest.mark.parametrize(
    ("ca", "sections"),
    [
        (CA + server("192.0.2.1"), {"broker": {"host": "192.0.2.1"}}),
        (CA + server("2001:db8::1"), {"broker": {"host": "2001:db8::1"}}),
        (CA + server("*.example.com"), {}),
        (CA + server("MQTT.Example.com"), {}),
        (server("mqtt.example.com") + CA, {}),
        (certificate(signs=True), {}),
        (certificate(key=STRONG_KEY, signer=STRONG_KEY), {}),
        (None, {"broker": {"host": "127.0.0.1"}}),
        (None, {"broker": {"host": "localhost", "ca_file": None, "port": 1883}}),
        (None, {"wifi": {"key": "0123456789abcdef" * 4}}),
        (None, {"wifi": {"key": "Blumen7!"}}),
        (None, {"wifi": {"security": "wpa3"}}),
        (None, {"intervals": {"sample_s": 600, "upload_s": 60, "batch_max": 1}}),
        (None, {"service": {"endpoint_region": "US", "safeguard": "scc"}}),
        (None, {"service": {"endpoint_region": "US", "safeguard": "scc", "safeguard_until": TODAY}}),
        (None, {"policy": {"version": 1, "alarm_only": True}}),
        (None, {"policy": {"version": 9}}),
        (
            None,
            {
                "policy": {"profile": "still"},
                "limits": {"temperature_low_degc": 2.0, "temperature_high_degc": 9.0, "shock_g": 16.0},
            },
        ),
        (
            None,
            {
                "policy": {"profile": "healthcare-us"},
                "service": {"jurisdiction": "US-HIPAA", "endpoint_region": "US", "safeguard": "baa"},
            },
        ),
        (None, {"service": {"jurisdiction": "IN", "endpoint_region": "IN"}}),
        (None, {"service": {"jurisdiction": "US", "endpoint_region": "US"}}),
    ],
)
def test_what_keeps_the_rules(tmp_path: Path, ca: bytes | None, sections: dict[str, Any]) -> None:
    assert broken(loaded(tmp_path, ca, **sections)) == []


def test_a_key_in_a_file_that_others_may_read(tmp_path: Path) -> None:
    path = put(tmp_path)
    path.chmod(0o640)
    ((name, words),) = broken(nodetoml.load(path))
    assert name == "file private"
    assert f"run chmod 600 {path}" in words
    path = put(tmp_path, wifi={"key": None, "key_env": "PATH"})
    path.chmod(0o644)
    assert "file private" not in dict(broken(nodetoml.load(path)))


STARTS = [
    ({"/webrepl_cfg.py": b"PASS = 'x'\n"}, "/webrepl_cfg.py"),
    ({"/boot.py": b"import webrepl\nwebrepl.start()\n"}, "/boot.py"),
    ({"/boot.py": b"#import webrepl\nif 1: import webrepl\n"}, "/boot.py"),
    ({"/main.py": b"from webrepl import start\n"}, "/main.py"),
]


@pytest.mark.parametrize(("files", "named"), STARTS)
def test_webrepl_on_the_node(tmp_path: Path, files: dict[str, bytes], named: str) -> None:
    ((name, words),) = broken(loaded(tmp_path), files)
    assert name == "WebREPL off"
    assert named in words


@pytest.mark.parametrize(
    "files",
    [{}, {"/boot.py": b"# webrepl is off\nimport gc\n"}, {"/boot.py": b"#import webrepl\n#webrepl.start()\n"}],
)
def test_no_webrepl_on_the_node(tmp_path: Path, files: dict[str, bytes]) -> None:
    assert broken(loaded(tmp_path), files) == []


def test_nothing_is_compiled_that_breaks_a_rule_and_all_that_breaks_is_told(tmp_path: Path) -> None:
    node = loaded(tmp_path, wifi={"security": "wep", "key": "password"}, service={"endpoint_region": "RU"})
    with pytest.raises(NodeTomlFaults) as caught:
        compiling.compile_node(node, 1, now=NOW)
    assert len(caught.value.faults) == 3
    assert "[ETSI EN 303 645 provision 5.1-1]" in caught.value.faults[1]
    with pytest.raises(NodeTomlFaults, match="WebREPL is set up"):
        compiling.compile_node(loaded(tmp_path), 1, now=NOW, node_files={"/webrepl_cfg.py": b""})


def test_no_rule_repeats_the_key(tmp_path: Path) -> None:
    for key in (WIFI_KEY, "password", "short", "depotdepot"):
        node = loaded(
            tmp_path, certificate(signs=False), wifi={"key": key, "security": "open"}, broker={"host": "1.2.3.4"}
        )
        assert not [text for _, text in broken(node) if key in text.replace("wpa", "")]


def test_loopback_is_the_same_here_and_on_the_node() -> None:
    assert set(rules.LOOPBACK) == set(uplink.LOOPBACK)


@pytest.mark.parametrize("key", ["aaaaaaaa", "abababab", "23456789012", "poiuytrewq", "Freezer1", "1rezeerf"])
def test_keys_that_are_tried_first(key: str) -> None:
    assert is_known(key, "freezer1")


@pytest.mark.parametrize("key", ["blumenkohl-9", "x7#Kd02pq", WIFI[1], "password-of-ours-7"])
def test_keys_that_are_not(key: str) -> None:
    assert not is_known(key, "freezer1")
