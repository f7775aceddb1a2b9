"""The commands `plumveil consent issue` and `list`, and groups, as a controller meets them: what is on record, handed
over and said, and one line for each refusal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from host_tools import derive
from host_tools.consent import grants
from host_tools.keys import files, when
from host_tools.registry import Policy
from plumveil import terms, wire
from tests.host.consenting import (
    DELEGATE,
    FREEZER,
    FRIDGE,
    GIVE,
    LORRY,
    UNTIL_S,
    ran,
    read,
    told,
)
from tests.host.keystores import (
    DAY,
    EXPORTED,
    NAMES,
    NOW_S,
    PASSPHRASE,
    POLICY,
    TENANT,
    consent_command,
    entry,
    error_line,
    hand_out,
    key_set,
    keys,
    make,
    opened,
)
from tests.host.stores import logged


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path, *(entry(name, consents=()) for name in NAMES))


def test_a_grant_is_on_record_and_the_node_takes_it(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "one.grant"
    said = ran(path, "issue", "--node", FREEZER, *GIVE, "--out", out)
    serial = NOW_S - wire.UNIX_MIN_S
    assert said.splitlines()[0] == f"{FREEZER}: district until 2026-07-20T12:00:00Z, serial {serial}, in {out}"
    assert said.endswith("hand it over to whoever is at the node, then delete it.\n")
    assert out.stat().st_mode & 0o777 == 0o600
    parts = read(FREEZER, out.read_bytes())
    assert (parts[terms.G_SERIAL], parts[terms.G_TIER], parts[terms.G_EXPIRES_S]) == (serial, 2, UNTIL_S)
    with opened(path) as store:
        (record,) = store.get(FREEZER).consents
        assert store.get(FREEZER).serial == serial
        assert store.get(LORRY).consents == ()
    assert record.secret == parts[terms.G_SECRET].hex()
    assert (record.who, record.policy, record.receipted) == ("Dr. A. Nurse", POLICY.version, False)
    assert record.secret not in said
    assert told(path) == ("consent_issue", 1, "tier district from 2026-07-16 until 2026-07-20")


def test_one_file_for_all_or_one_each(path: Path, tmp_path: Path) -> None:
    batch, folder = tmp_path / "batch", tmp_path / "grants"
    folder.mkdir()
    both = ("--node", FRIDGE, "--node", LORRY, "--node", FRIDGE)
    ran(path, "issue", *both, *GIVE, "--out", batch)
    ran(path, "issue", *both, *GIVE, "--out", folder)
    serial = NOW_S - wire.UNIX_MIN_S
    assert sorted(one.name for one in folder.iterdir()) == [
        f"K_hlschrank_7-0-{serial + 1}.grant",
        f"lorry-of-J-Doe-1-{serial + 1}.grant",
    ]
    found = grants.load(batch)
    assert len(found) == 2
    for name in (FRIDGE, LORRY):
        own = grants.of_node(found, derive.grant_node(key_set(name).k_consent, TENANT))
        assert own is not None
        assert read(name, own)[terms.G_SERIAL] == serial
    with opened(path) as store:
        assert [one.serial for one in store.get(LORRY).consents] == [serial, serial + 1]


def test_a_group_is_its_nodes(path: Path, tmp_path: Path) -> None:
    assert keys("group", "set", "cold chain", FREEZER, FRIDGE, "--keystore", path).code == 0
    assert told(path) == ("group", 2, "nodes")
    assert keys("group", "list", "--keystore", path).out == f"cold chain: {FRIDGE}, {FREEZER}\n"
    out = tmp_path / "batch"
    ran(path, "issue", "--group", "cold chain", *GIVE, "--out", out)
    assert len(grants.load(out)) == 2
    with opened(path) as store:
        assert [len(one.consents) for one in store.nodes()] == [1, 0, 1]
    assert keys("group", "set", "cold chain", LORRY, "--keystore", path).out == f"cold chain: {LORRY}\n"
    assert keys("group", "set", "cold chain", "--keystore", path).out == "There is no group cold chain any more.\n"
    gone = consent_command("issue", "--group", "cold chain", *GIVE, "--out", tmp_path / "x", "--keystore", path)
    assert "has no group 'cold chain'; `plumveil keys group list` shows them all" in error_line(gone)


def test_a_group_of_what_is_not_there(path: Path) -> None:
    assert "has no node named 'nobody'" in error_line(keys("group", "set", "g", "nobody", "--keystore", path))
    assert "a group's name has" in error_line(keys("group", "set", "", LORRY, "--keystore", path), 2)
    for role in ("technician", "auditor"):
        copy = hand_out(path, role)
        refused = keys("group", "set", "g", LORRY, "--keystore", copy, passphrase=EXPORTED)
        assert "that takes the controller's" in error_line(refused)


REFUSED = [
    (("--node", "nobody"), GIVE, 1, "has no node named 'nobody'"),
    ((), GIVE, 2, "say for which nodes: --node, as often as it takes, or --group"),
    (("--node", LORRY, "--group", "g"), GIVE, 2, "say for which nodes"),
    (
        ("--node", LORRY),
        (*GIVE, "--tier", "street"),
        1,
        "allows area at the finest: give that, or configure the node",
    ),
    (("--node", LORRY), (*GIVE, "--tier", "off"), 2, "--tier takes one of region, district, area, street"),
    (("--node", LORRY), (*GIVE, "--until", "2026-07-16"), 2, "--until has to be later than --from"),
    (("--node", LORRY), (*GIVE, "--from", "2026-07-01", "--until", "2026-07-15"), 2, "--until is over already"),
    (("--node", LORRY), (*GIVE, "--purpose", ""), 2, "--purpose takes 1 to 64 printable characters"),
    (("--node", LORRY), (*GIVE, "--by", "x" * 65), 2, "--by takes 1 to 64 printable characters"),
    (("--node", LORRY), (*GIVE, "--notice", "a\nb"), 2, "--notice takes 1 to 64 printable characters"),
]


@pytest.mark.parametrize(("nodes", "given", "code", "words"), REFUSED, ids=[words[:40] for *_, words in REFUSED])
def test_what_cannot_be_given_leaves_all_as_it_was(
    path: Path, tmp_path: Path, nodes: tuple[str, ...], given: tuple[str, ...], code: int, words: str
) -> None:
    before = path.read_bytes()
    refused = consent_command("issue", *nodes, *given, "--out", tmp_path / "out", "--keystore", path)
    assert words in error_line(refused, code)
    assert path.read_bytes() == before
    assert not (tmp_path / "out").exists()
    assert logged(path) == []


def test_of_a_batch_all_or_none_is_given(path: Path, tmp_path: Path) -> None:
    narrow = Policy(version=7, fields=POLICY.fields, location_ceiling=1)
    shut = Policy(version=8, fields=POLICY.fields, location_ceiling=0)
    for number, (policies, words) in enumerate(
        (
            ((POLICY, narrow), "policy version 7 of 'freezer-3' allows region at the finest: give that"),
            ((shut, POLICY), "policy version 8 of 'freezer-3' allows no location at all: leave it"),
            ((), "no policy of 'freezer-3' is on record: configure it with this keystore first"),
        )
    ):
        with opened(path, write=True) as store:
            store.put(dataclasses.replace(store.get(FREEZER), policies=policies))
            store.save()
        both = ("--node", LORRY, "--node", FREEZER)
        refused = consent_command("issue", *both, *GIVE, "--out", tmp_path / f"{number}", "--keystore", path)
        assert words in error_line(refused)
        with opened(path) as store:
            assert store.get(LORRY).consents == ()


def test_a_file_that_is_there_is_not_written_over(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files.write_private(out, b"keep", "x")
    refused = consent_command("issue", "--node", LORRY, *GIVE, "--out", out, "--keystore", path)
    assert "is there already" in error_line(refused, 2)
    assert out.read_bytes() == b"keep"
    with opened(path) as store:
        assert store.get(LORRY).consents == ()


@pytest.mark.parametrize("role", ["controller", "technician", "auditor"])
def test_the_controllers_own_keystore_alone_decides(path: Path, tmp_path: Path, role: str) -> None:
    copy = hand_out(path, role)
    given = ("--keystore", copy)
    for arguments in (
        ("issue", "--node", LORRY, *GIVE, "--out", tmp_path / "x"),
        ("revoke", "--node", LORRY),
        ("delegate", "--node", LORRY, *DELEGATE, "--out", tmp_path / "x"),
        ("void", "1"),
    ):
        refused = consent_command(*arguments, *given, passphrase=EXPORTED)
        assert "cannot decide about consents" in error_line(refused)
    assert not (tmp_path / "x").exists()


def test_the_list_for_people(path: Path, tmp_path: Path) -> None:
    assert ran(path, "list") == "no consent and no delegation on record\n"
    ran(path, "issue", "--node", FRIDGE, *GIVE, "--out", tmp_path / "grant")
    ran(path, "issue", "--node", FRIDGE, *GIVE, "--from", "2026-07-18", "--out", tmp_path / "later")
    ran(path, "delegate", "--node", LORRY, *DELEGATE, "--out", tmp_path / "laptop")
    first, *lines = ran(path, "list").splitlines()
    assert " ".join(first.split()) == "node serial state tier from until purpose notice given by receipt"
    assert "  given    district  2026-07-16T08:20:00Z  2026-07-20T12:00:00Z  delivery to ward nine  " in lines[0]
    assert "  not yet  district  2026-07-18T00:00:00Z  2026-07-20T12:00:00Z  " in lines[1]
    assert lines[2] == ""
    assert " ".join(lines[3].split()) == "delegation person state tier from until purpose notice for"
    assert lines[4].endswith(f"2026-07  {LORRY}: {LORRY}")
    assert told(path) == ("consent_list", 0, "")
    assert logged(path)[-1].count == 3
    auditor = hand_out(path, "auditor")
    assert "that takes the controller's" in error_line(
        consent_command("list", "--keystore", auditor, passphrase=EXPORTED)
    )


def test_no_secret_is_said(path: Path, tmp_path: Path) -> None:
    said = ""
    for arguments in (
        ("issue", "--node", LORRY, *GIVE, "--out", tmp_path / "grant"),
        ("delegate", "--node", LORRY, *DELEGATE, "--out", tmp_path / "laptop"),
        ("list",),
        ("list", "--json"),
        ("revoke", "--node", LORRY, "--out", tmp_path / "messages"),
        ("void", "1", "--out", tmp_path / "messages"),
    ):
        said += ran(path, *arguments)
    with opened(path) as store:
        record = store.get(LORRY).consents[0]
    own = key_set(LORRY)
    secrets = [bytes.fromhex(record.secret), own.k_consent, own.k_id, own.k_chain, derive.grant_key(own.k_consent)]
    for secret in secrets:
        assert secret.hex() not in said
        assert secret not in path.read_bytes()
    assert PASSPHRASE not in said
    assert key_set(LORRY).epoch0_day + 20 == DAY
