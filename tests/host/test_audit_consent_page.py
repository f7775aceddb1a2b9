"""The audit as a page: whole in itself, printable, its texts escaped; it says what the document says."""

from __future__ import annotations

import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest

from host_tools.auditing import history, page, report
from plumveil import terms
from tests.host import receipts, stores
from tests.host.audits import audit, document, given, keystore, positions, put
from tests.host.messages import SERIAL, START_S
from tests.host.receipts import WITHOUT_RECEIPT, Log, grant

VOID = {"meta", "link", "img", "br", "hr", "input"}
OUTSIDE = re.compile(r"https?:|//[a-z]|url\(|@import|src=|href=|<script|<iframe|<object|javascript:", re.IGNORECASE)


class Tree(HTMLParser):
    """Every element closed in its order, and the text of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def made(folder: Path, *data: bytes) -> str:
    out = folder / "page.html"
    ended = audit(keystore(folder), put(folder, *data), "--html", out)
    assert ended.err == ""
    return out.read_text("utf-8")


def test_it_says_what_the_document_says(tmp_path: Path) -> None:
    text = made(tmp_path, *receipts.receipts(receipts.told()), *positions(0, 300, 2100))
    words = Tree(text).text
    for expected in (
        "Positions under a receipt 2",
        "Positions without 1",
        "Not sound. fridge: positions without a receipt: 1",
        history.TOO_LATE,
        "consent 41, by the button on the board",
        "6 entries, whole",
        "pii_controllers clinic",
        "privacy_notice version 2026-05",
        "not newer than what was decided last",
        "3 × area (1 km)",
        "open_location",
    ):
        assert expected in words


def test_a_sound_one_says_so(tmp_path: Path) -> None:
    words = Tree(made(tmp_path, *receipts.receipts(given()), *positions(0))).text
    assert "Sound. Every position has its receipt" in words
    assert "Positions without 0" in words


def test_nothing_comes_from_outside_and_it_prints(tmp_path: Path) -> None:
    text = made(tmp_path, *receipts.receipts(receipts.told()), *positions(0))
    assert OUTSIDE.findall(text) == []
    assert "default-src 'none'" in text
    assert "@media print" in text
    assert "@page" in text


def test_texts_of_grants_are_shown_as_they_were_typed(tmp_path: Path) -> None:
    log = Log()
    evil = '<script>alert("x")</script>&'
    consent = receipts.UNSEEN.model_copy(update={"purpose": evil, "who": "<b>A. Huber</b>"})
    log.add(terms.LOG_GRANTED, grant(consent))
    text = made(tmp_path, *receipts.receipts(log))
    assert "<script" not in text
    assert "<b>A. Huber" not in text
    assert evil in Tree(text).text


def test_a_gap_stands_on_it(tmp_path: Path) -> None:
    came = receipts.receipts(receipts.told())
    words = Tree(made(tmp_path, *came[:2], *came[3:])).text
    assert "not whole: entry 3 missing" in words


def test_its_owner_alone_may_read_it_and_nothing_is_overwritten(tmp_path: Path) -> None:
    made(tmp_path, *receipts.receipts(given()))
    out = tmp_path / "page.html"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = out.read_bytes()
    ended = audit(tmp_path / "tenant.keys", tmp_path / "messages.cborseq", "--html", out)
    assert (ended.code, ended.out) == (2, "")
    assert "page.html is there already" in ended.err
    assert out.read_bytes() == before


def test_a_folder_that_is_not_there_is_an_error_before_anything_is_read(tmp_path: Path) -> None:
    store = keystore(tmp_path)
    path = put(tmp_path, *receipts.receipts(given()), *positions(0))
    for folder, said in (("none", "No such file or directory"), (path.name, "no file can be made in")):
        ended = audit(store, path, "--html", tmp_path / folder / "page.html")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("plumveil: error: ")
        assert said in ended.err
        assert stores.logged(store) == []


def test_it_holds_every_consent_and_each_of_its_fields(tmp_path: Path) -> None:
    store = keystore(tmp_path)
    _, found = document(store, put(tmp_path, *receipts.receipts(receipts.told())))
    words = Tree(page.render(found)).text
    (record,) = found["nodes"][0]["consents"]
    for value in (record["record_id"], record["consent_receipt"]["receipt_id"], record["pii_principal_id"]):
        assert value in words
    for event in record["consent_events"]:
        assert (
            f"{event['event_time']}: {event['event_state']} ({event['event_type']}), by {event['entity_id']}" in words
        )
    for name in record["not_recorded"]:
        assert name in words


@pytest.mark.parametrize("many", [3])
def test_several_nodes_and_several_sets_of_keys(tmp_path: Path, many: int) -> None:
    earlier = WITHOUT_RECEIPT.model_copy(update={"k_id": "9a" * 32, "k_chain": "9b" * 32, "k_consent": "9c" * 32})
    store = keystore(tmp_path, stores.entry(WITHOUT_RECEIPT, earlier), stores.entry(stores.OTHER))
    log = Log()
    for n in range(many):
        log.add(terms.LOG_WITHDRAWN, [SERIAL, terms.BY_CUT], START_S + n)
    data = [receipts.receipt(entry, n, node=earlier) for n, entry in enumerate(log.entries)]
    _, found = document(store, put(tmp_path, *data, *receipts.receipts(given()), *positions(0)))
    assert [len(one["logs"]) for one in found["nodes"]] == [2, 0]
    words = Tree(page.render(found)).text
    assert "by whom is not known: the supply went before it was written" in words
    assert "truck" in words


def test_the_same_document_gives_the_same_bytes(tmp_path: Path) -> None:
    _, found = document(keystore(tmp_path), put(tmp_path, *receipts.receipts(receipts.told())))
    assert page.render(found) == page.render(found)
    assert found["schema"] == report.SCHEMA
