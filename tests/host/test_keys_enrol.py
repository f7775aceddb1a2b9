"""Enrolled, rekeyed and retired over a serial line: mpremote's transport on one end of a pty, the real firmware in
the VM on the other.
"""

from __future__ import annotations

import dataclasses
import hmac
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest

from host_tools import node_link
from host_tools.errors import PlumveilError
from host_tools.firmware_source import beside
from host_tools.keys import enrol, retire, when
from host_tools.keys.delivery import OverLine
from host_tools.keys.entries import ACTIVE, RETIRED, Entry
from host_tools.keys.keystore import Keystore
from host_tools.node_link import Erased, NodeLink, NodeLost, NodeRefused
from host_tools.provision import first_slot
from plumveil import wire
from tests.fakes.raw_repl import Board
from tests.host import keystores
from tests.host.keystores import DAY, NOW_S, make, opened

pytestmark = pytest.mark.vm


MAC = "240ac4a1b2c3"


OTHER_MAC = "240ac4000001"


AREA = "/flash/pv_keys"


CONFIG = "/pv/config.bin"


AREA_BYTES = 4 * wire.KEYS_BLOCK_BYTES


def whole(image: bytes) -> bytes:
    """The partition that the virtual board keeps in a file, whose missing end is blank."""
    return image.ljust(AREA_BYTES, b"\xff")


def world(mac: str) -> str:
    return repr({"mac": mac})


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Keystore]:
    with opened(make(tmp_path), write=True) as store:
        yield store


@pytest.fixture
def board() -> Iterator[Board]:
    with Board(world=world(MAC)) as board:
        yield board


def slot_of(entry: Entry) -> dict[int, object]:
    """What the node should have, but for its pool, which is random."""
    assert entry.node is not None
    return body_of(first_slot(entry.node))


def body_of(area: bytes) -> dict[int, object]:
    length = int.from_bytes(area[:2], "big")
    body: dict[int, object] = cbor2.loads(cbor2.loads(area[2 : 2 + length])[0])
    return {key: value for key, value in body.items() if key != wire.S_POOL}


def enrolled(store: Keystore, board: Board, name: str = "trailer 9") -> Entry:
    with NodeLink(board.port) as link:
        enrol.enrol(store, name, "virtual", "general", link.unique_id(), OverLine(link))
    return store.get(name)


@pytest.mark.parametrize("raw_paste", [True, False], ids=["raw paste", "raw mode"])
def test_enrolled_over_the_line(store: Keystore, raw_paste: bool) -> None:
    with Board(raw_paste=raw_paste, world=world(MAC)) as board:
        entry = enrolled(store, board)
        area = whole(board.files()[AREA])
        # Once to free the RAM, once to start with the new keys.
        assert board.resets == 2
        loaded = board.run(
            beside(
                "from plumveil import service, keystate\n"
                "state = keystate.KeyState(service.open_vault().load(keystate.generation_of))\n"
                "print(state.tenant, state.epoch0_day, state.epoch, state.generation)"
            )
        )
    assert loaded.output.split() == [keystores.TENANT, str(DAY), "0", "1"]
    assert body_of(area) == slot_of(entry)
    assert entry.keys is not None
    for never in (entry.keys.k_chain, bytes.fromhex(MAC)):
        assert never not in area
    assert len(area) == AREA_BYTES


def test_no_hardware_id_is_kept_and_the_board_is_known_again(store: Keystore, board: Board) -> None:
    entry = enrolled(store, board)
    mac = bytes.fromhex(MAC)
    assert store.meta.board_key is not None
    assert entry.board_hash == hmac.digest(store.meta.board_key, cbor2.dumps(["board", "acme"]) + mac, "sha256")[:16]
    for value in keystores.contents(store.path, keystores.PASSPHRASE):
        assert mac not in (value if isinstance(value, bytes) else str(value).encode())
        assert MAC not in str(value)
    with pytest.raises(PlumveilError, match="this board is another node of the tenant: rekey or retire that one"):
        enrolled(store, board, "under another name")
    assert store.find("under another name") is None
    assert body_of(board.files()[AREA]) == slot_of(entry)


def test_a_node_with_keys_keeps_them(store: Keystore, board: Board) -> None:
    """Another tenant's, or ours from before the keystore was lost."""
    with NodeLink(board.port) as link:
        link.enrol(first_slot(keystores.entry("of another tenant").records()[0]))
    before = board.files()
    with pytest.raises(NodeRefused, match="the node has keys already; `plumveil keys rekey`"):
        enrolled(store, board)
    assert board.files() == before
    assert store.find("trailer 9") is None


def configured(board: Board, key: bytes, body: bytes = b"what it is told") -> bytes:
    data = cbor2.dumps([body, hmac.digest(key, body, "sha256")])
    board.put(CONFIG, data)
    return body


def test_rekeyed_over_the_line_with_its_configuration(store: Keystore, board: Board) -> None:
    before = enrolled(store, board)
    assert before.k_config is not None
    body = configured(board, before.k_config)
    with NodeLink(board.port) as link:
        deliver = OverLine(link)
        enrol.rekey(store, "trailer 9", link.unique_id(), deliver)
    after = store.get("trailer 9")
    assert after.k_config not in (None, before.k_config)
    assert (deliver.note, len(after.history)) == ("", 1)
    files = board.files()
    assert body_of(files[AREA]) == slot_of(after)
    assert cbor2.loads(files[CONFIG]) == [body, hmac.digest(after.k_config or b"", body, "sha256")]


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, cbor2.dumps([b"body", bytes(32)]), cbor2.dumps(["x", 7])])
def test_a_configuration_that_is_not_authentic_stays_so(store: Keystore, board: Board, content: bytes) -> None:
    enrolled(store, board)
    board.put(CONFIG, content)
    with NodeLink(board.port) as link:
        deliver = OverLine(link)
        enrol.rekey(store, "trailer 9", link.unique_id(), deliver)
    assert deliver.note == ("its configuration was not authentic: configure it anew" if content else "")
    assert board.files()[CONFIG] == content


@pytest.mark.parametrize("step", ["_READ", "_WRITE"])
def test_whatever_fails_after_the_node_has_its_keys_takes_none_back(
    store: Keystore, board: Board, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = enrolled(store, board)
    assert before.k_config is not None
    configured(board, before.k_config)
    monkeypatch.setattr(node_link, step, "# {path!r}\nraise ImportError('no module named x')\n")
    with NodeLink(board.port) as link:
        deliver = OverLine(link)
        enrol.rekey(store, "trailer 9", link.unique_id(), deliver)
    assert deliver.note == "its configuration could not be read or written: configure it anew"
    after = store.get("trailer 9")
    assert after.keys != before.keys
    assert body_of(board.files()[AREA]) == slot_of(after)


def test_a_rekey_that_broke_off_is_made_up_for(store: Keystore, board: Board) -> None:
    """The node has neither the keys of the first attempt nor a configuration under them."""
    first = enrolled(store, board)
    assert first.k_config is not None
    body = configured(board, first.k_config)
    board.mute_at = len(board.codes) + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_link, "RUN_TIMEOUT_S", 0.5)
        with NodeLink(board.port) as link, pytest.raises(NodeLost, match="not known"):
            enrol.rekey(store, "trailer 9", link.unique_id(), OverLine(link))
    assert body_of(board.files()[AREA]) == slot_of(first)
    board.unmute()
    with NodeLink(board.port) as link:
        enrol.rekey(store, "trailer 9", link.unique_id(), OverLine(link))
    last = store.get("trailer 9")
    assert len(last.history) == 2
    assert body_of(board.files()[AREA]) == slot_of(last)
    assert cbor2.loads(board.files()[CONFIG]) == [body, hmac.digest(last.k_config or b"", body, "sha256")]


def test_the_line_breaks_after_the_node_has_taken_its_keys(store: Keystore, board: Board) -> None:
    board.mute_at, board.mute_after = 1, True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_link, "RUN_TIMEOUT_S", 0.5)
        with pytest.raises(NodeLost, match="Its keys stand in"):
            enrolled(store, board)
    # Nobody said so, but it has them; and so has the keystore.
    assert body_of(board.files()[AREA]) == slot_of(store.get("trailer 9"))


def test_another_board_is_not_rekeyed_in_its_place(store: Keystore, board: Board) -> None:
    entry = enrolled(store, board)
    with Board(world=world(OTHER_MAC)) as other:
        with NodeLink(other.port) as link:
            with pytest.raises(PlumveilError, match="the board on the line is not 'trailer 9'; --new-board moves"):
                enrol.rekey(store, "trailer 9", link.unique_id(), OverLine(link))
            assert store.get("trailer 9") == entry
            enrol.rekey(store, "trailer 9", link.unique_id(), OverLine(link), new_board=True)
        moved = store.get("trailer 9")
        assert moved.board_hash not in (None, entry.board_hash)
        assert body_of(other.files()[AREA]) == slot_of(moved)
        # The first board is nobody's now, and can be a node of its own; the other cannot.
        enrolled(store, board_wiped(board), "trailer 10")
        with NodeLink(other.port) as link, pytest.raises(PlumveilError, match="is another node of the tenant"):
            enrol.rekey(store, "trailer 10", link.unique_id(), OverLine(link), new_board=True)


def board_wiped(board: Board) -> Board:
    board.put(AREA, b"\xff" * AREA_BYTES)
    # The VM reads a partition's file when it starts.
    board.reset()
    return board


def test_retired_over_the_line(store: Keystore, board: Board) -> None:
    entry = enrolled(store, board)
    assert entry.keys is not None
    assert entry.k_config is not None
    configured(board, entry.k_config)
    with NodeLink(board.port) as link:
        receipt = retire.retire(store, "trailer 9", link)
    assert receipt["on_node"] == {"reached": True, "blocks": 4, "blocks_blank": 4, "key_area": "flash partition"}
    assert receipt["on_host"]["key_sets_destroyed"] == 1
    files = board.files()
    assert whole(files[AREA]) == b"\xff" * AREA_BYTES
    assert CONFIG not in files
    gone = store.get("trailer 9")
    assert (gone.state, gone.keys, gone.k_config, gone.board_hash) == (RETIRED, None, None, None)
    held = keystores.secrets_in(store.path, keystores.PASSPHRASE)
    assert not {entry.keys.k_id, entry.keys.k_chain, entry.keys.k_consent, entry.k_config} & held
    assert "trailer 9" not in [node.name for node in store.registry().nodes]
    # The board is free for a new life.
    enrolled(store, board, "trailer 10")


def test_another_board_is_not_retired_in_its_place(store: Keystore, board: Board) -> None:
    entry = enrolled(store, board)
    before = board.files()
    with Board(world=world(OTHER_MAC)) as other, NodeLink(other.port) as link:
        with pytest.raises(PlumveilError, match="the board on the line is not 'trailer 9'; nothing was destroyed"):
            retire.retire(store, "trailer 9", link)
        assert store.get("trailer 9") == entry
    unseen = dataclasses.replace(entry, board_hash=None)
    store.put(unseen)
    with NodeLink(board.port) as link, pytest.raises(PlumveilError, match="was never seen on a line"):
        retire.retire(store, "trailer 9", link)
    assert board.files() == before


@pytest.mark.parametrize("after", [False, True], ids=["before it erases", "after"])
def test_the_keystore_keeps_the_keys_unless_the_nodes_are_gone_for_sure(
    store: Keystore, board: Board, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = enrolled(store, board)
    board.mute_at, board.mute_after = len(board.codes) + 1, after
    monkeypatch.setattr(node_link, "RUN_TIMEOUT_S", 0.5)
    with NodeLink(board.port) as link, pytest.raises(NodeLost):
        retire.retire(store, "trailer 9", link)
    assert store.get("trailer 9") == entry
    board.unmute()
    with NodeLink(board.port) as link:
        assert retire.retire(store, "trailer 9", link)["on_node"]["reached"]


def test_blocks_that_do_not_erase_are_said(store: Keystore, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = enrolled(store, board)
    monkeypatch.setattr(NodeLink, "retire", lambda _: Erased(3, 4, raw=True))
    with (
        NodeLink(board.port) as link,
        pytest.raises(PlumveilError, match="only 3 of the node's 4 key blocks read back"),
    ):
        retire.retire(store, "trailer 9", link)
    assert store.get("trailer 9").state == ACTIVE
    assert store.get("trailer 9") == entry
