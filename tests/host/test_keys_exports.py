"""What `plumveil keys export` hands out, how it is asked for, and what holders of such a file are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_tools.keys import roles, when
from plumveil import wire
from tests.host.keystores import (
    DAY,
    EXPORTED,
    NAMES,
    NOW_S,
    RENEWED,
    SHARE_ARGUMENTS,
    error_line,
    hand_out,
    keys,
    make,
    opened,
)
from tests.host.stores import logged

ROLES = ("controller", "technician", "processor", "auditor")


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path)


def handed(path: Path, role: str) -> Path:
    share = roles.Share((wire.READINGS, wire.LOCATION), DAY - 1, DAY) if role == "processor" else None
    return hand_out(path, role, share)


@pytest.mark.parametrize("role", ROLES)
def test_list_of_each_role(path: Path, role: str) -> None:
    out = handed(path, role)
    ended = keys("list", "--keystore", out, passphrase=EXPORTED)
    assert (ended.code, ended.err) == (0, "")
    assert f"role: {role}" in ended.out
    assert "expires: 2026-07-17T08:20:00Z" in ended.out
    assert (NAMES[0] in ended.out) == (role in ("controller", "technician"))
    document = json.loads(keys("list", "--json", "--keystore", out, passphrase=EXPORTED).out)
    assert document["role"] == role
    if role == "processor":
        assert (document["streams"], document["from"], document["to"], document["list"]) == (
            ["readings", "location"],
            when.date_text(DAY - 1),
            when.date_text(DAY),
            [],
        )


NODE_COMMANDS: dict[str, tuple[str | Path, ...]] = {
    "enrol": ("new", "--out", "new.slot", "--board", "virtual"),
    "rekey": (NAMES[0], "--out", "new.slot"),
    "retire": (NAMES[0], "--without-node"),
    "resolve": ("00" * 8,),
    "import": ("box",),
    "rotate": (),
    "export": ("--role", "auditor", "--out", "more"),
    "receipt": ("box",),
}


MAY = {"technician": {"enrol", "rekey"}, "processor": set(), "auditor": {"receipt"}}


@pytest.mark.parametrize("command", NODE_COMMANDS)
@pytest.mark.parametrize("role", MAY)
def test_beyond_its_role_is_one_line(
    path: Path, role: str, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("box").write_text("{}")
    out = handed(path, role)
    before = out.read_bytes()
    ended = keys(command, *NODE_COMMANDS[command], "--keystore", out, passphrase=EXPORTED)
    if command in MAY[role]:
        assert "cannot" not in ended.err
        return
    line = error_line(ended)
    article = "an" if role == "auditor" else "a"
    assert f"is {article} {role}'s keystore and cannot " in line
    assert line.endswith("'s\n")
    assert "that takes the " in line
    assert out.read_bytes() == before
    assert not any(Path(name).exists() for name in ("new.slot", "more"))


@pytest.mark.parametrize("role", ROLES)
def test_expired_is_one_line_whatever_is_asked(path: Path, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = handed(path, role)
    monkeypatch.setattr(when, "now_s", lambda: NOW_S + 86399)
    assert keys("list", "--keystore", out, passphrase=EXPORTED).code == 0
    monkeypatch.setattr(when, "now_s", lambda: NOW_S + 86400)
    for arguments in (("list",), ("resolve", "00" * 8), ("enrol", "x", "--out", "y"), ("receipt", str(path))):
        line = error_line(keys(*arguments, "--keystore", out, passphrase=EXPORTED))
        assert line.endswith("was handed out until 2026-07-17T08:20:00Z: ask the controller for a new one\n")
    assert not out.with_name("y").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--role", "processor"), "say --streams, --from and --to"),
        (("--role", "processor", "--streams", "readings"), "say --streams, --from and --to"),
        (("--role", "processor", *SHARE_ARGUMENTS[:-2]), "say --streams, --from and --to"),
        (("--role", "processor", *SHARE_ARGUMENTS, "--streams", "smells"), "not 'smells'"),
        (("--role", "processor", *SHARE_ARGUMENTS, "--from", "2026-08-01"), "--from is later than --to"),
        (("--role", "processor", *SHARE_ARGUMENTS, "--from", "yesterday"), "--from takes a date such as"),
        (
            ("--role", "processor", "--streams", "device", "--from", "2026-02-01", "--to", "2026-02-03"),
            "no node has keys",
        ),
        (
            ("--role", "processor", "--streams", "device", "--from", "2026-07-01", "--to", "2026-10-15"),
            "than the keystore may be used",
        ),
        (("--role", "auditor", "--streams", "device"), "are for a processor"),
        (("--role", "technician", "--to", "2026-08-01"), "are for a processor"),
        (("--role", "auditor", "--expires", "2026-07-15"), "--expires takes a date from today to 2027-07-17"),
        (("--role", "auditor", "--expires", "2027-07-18"), "--expires takes a date from today to 2027-07-17"),
        (("--role", "auditor", "--expires", "never"), "--expires takes a date such as"),
    ],
)
def test_an_export_that_is_not_said_in_full(path: Path, arguments: tuple[str, ...], line: str) -> None:
    before = path.read_bytes()
    ended = keys("export", *arguments, "--out", path.with_name("out"), "--keystore", path)
    assert line in error_line(ended, 2)
    assert path.read_bytes() == before
    assert not path.with_name("out").exists()


def test_an_export_of_more_rows_than_fit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "ROWS_MAX", 11)
    arguments = (
        "export",
        "--role",
        "processor",
        *SHARE_ARGUMENTS,
        "--out",
        path.with_name("out"),
        "--keystore",
        path,
    )
    assert "that is 12 rows, and 11 fit into one store" in error_line(keys(*arguments), 2)
    monkeypatch.setattr(roles, "ROWS_MAX", 12)
    assert keys(*arguments).code == 0


@pytest.mark.parametrize("role", ROLES)
def test_export_says_until_when(path: Path, role: str) -> None:
    out = path.with_name("out")
    share = SHARE_ARGUMENTS if role == "processor" else ()
    ended = keys("export", "--role", role, *share, "--out", out, "--keystore", path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{out} is made for the {role}, to be used until the end of 2026-10-14.\n"
    with opened(out, EXPORTED) as store:
        assert store.expires_s == (DAY + 91) * wire.EPOCH_S
    (made,) = [one for one in logged(path) if one.action == "export"]
    days = " streams readings location from 2026-07-15 to 2026-07-16" if share else ""
    assert made.detail == f"role {role} expires 2026-10-14{days}"
    assert f"{role} until 2026-10-15T00:00:00Z" in keys("list", "--keystore", path).out
    assert "is there already" in error_line(
        keys("export", "--role", role, *share, "--out", out, "--keystore", path), 2
    )


def test_export_wants_a_passphrase_of_its_own_and_a_long_one(path: Path) -> None:
    arguments = ("export", "--role", "auditor", "--out", path.with_name("out"), "--keystore", path)
    line = error_line(keys(*arguments, PLUMVEIL_EXPORT_PASSPHRASE="short"), 2)
    assert "at least 12 characters" in line
    file = path.with_name("passphrase")
    file.write_text(RENEWED)
    file.chmod(0o600)
    assert keys(*arguments, "--out-passphrase-file", file).code == 0
    opened(path.with_name("out"), RENEWED).close()
