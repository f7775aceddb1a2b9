"""`plumveil image` as it is typed: the node is in the keystore, no file is written over, and a mistake is one
line.
"""

from __future__ import annotations

import hmac
import stat
from pathlib import Path

import cbor2
import pytest

from host_tools import boards, disk_image, image_commands
from host_tools.accesslog import log_path
from host_tools.configure import compiling, nodetoml
from host_tools.errors import PlumveilError, UsageError
from host_tools.flashing import base
from host_tools.keys.enrol import Handover
from plumveil import wire
from tests.host import keystores
from tests.host.imaging import (
    FILES,
    SLOT,
    WIFI_KEY,
    command,
    flash_of,
    node_toml,
    on_disk,
    part,
)


def test_the_command_enrols_the_node_and_puts_keys_and_configuration_in(tmp_path: Path) -> None:
    store_path = keystores.make(tmp_path)
    ended = command(tmp_path, "--node", node_toml(tmp_path), keystore=store_path)
    assert (ended.code, ended.err) == (0, "")
    assert "lorry 12 is enrolled." in ended.out
    assert "write-flash 0x1000" in ended.out
    out = tmp_path / "out.bin"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    flash, board = flash_of(out), boards.load("virtual")
    with keystores.opened(store_path) as store:
        entry = store.get("lorry 12")
    assert entry.keys is not None
    keys = part(flash, board.flash.keys_offset_bytes, board.flash.keys_size_bytes)
    slot = cbor2.loads(keys[2 : 2 + int.from_bytes(keys[:2], "big")])
    assert cbor2.loads(slot[0])[wire.S_TENANT] == keystores.TENANT
    assert cbor2.loads(slot[0])[wire.S_K_CONFIG] == entry.k_config
    files = disk_image.read(flash[board.flash.vfs_offset_bytes :])
    config, mac = cbor2.loads(files.pop(wire.FILE_CONFIG))
    assert files == on_disk(board)
    assert mac == hmac.digest(entry.keys.k_config, config, "sha256")
    assert cbor2.loads(config)[wire.C_VERSION] == 1
    assert cbor2.loads(config)[wire.C_WIFI] == ["depot", WIFI_KEY]
    for secret in (entry.keys.k_chain, WIFI_KEY.encode(), entry.keys.k_config):
        assert secret.hex() not in ended.out
        assert secret not in ended.out.encode()
    assert entry.keys.k_chain not in flash


def test_an_image_with_keys_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    store_path = keystores.make(tmp_path)
    (tmp_path / "out.bin").write_bytes(b"kept")
    ended = command(tmp_path, "--node", node_toml(tmp_path), keystore=store_path)
    assert "is there already" in keystores.error_line(ended, 2)
    assert (tmp_path / "out.bin").read_bytes() == b"kept"
    # Said before anything was drawn or logged.
    assert not log_path(store_path).exists()


def test_an_image_without_keys_does_not_either(tmp_path: Path) -> None:
    # What is there may be another node's, with the only copy of its keys outside the keystore.
    (tmp_path / "out.bin").write_bytes(b"kept")
    ended = command(tmp_path, "--board", "virtual")
    assert "is there already" in keystores.error_line(ended, 2)
    assert (tmp_path / "out.bin").read_bytes() == b"kept"


def test_a_file_that_comes_meanwhile_is_not_replaced_either(tmp_path: Path) -> None:
    out = tmp_path / "out.bin"
    board = boards.load("virtual")
    deliver = image_commands._IntoImage(out, board, base.read(base.STANDIN, board), FILES)
    deliver.compiled = compiling.compile_node(nodetoml.load(node_toml(tmp_path)), 1)
    out.write_bytes(b"kept")
    with pytest.raises(UsageError, match="is there already"):
        deliver(Handover(SLOT, (), bytes(32)))
    assert out.read_bytes() == b"kept"


def test_a_node_is_enrolled_once_and_rekeyed_when_asked(tmp_path: Path) -> None:
    store_path, node = keystores.make(tmp_path), node_toml(tmp_path)
    assert command(tmp_path, "--node", node, keystore=store_path).code == 0
    first = (tmp_path / "out.bin").rename(tmp_path / "first.bin").read_bytes()
    again = command(tmp_path, "--node", node, keystore=store_path)
    assert "already" in keystores.error_line(again)
    assert not (tmp_path / "out.bin").exists()
    rekeyed = command(tmp_path, "--node", node, "--rekey", keystore=store_path)
    assert (rekeyed.code, rekeyed.err) == (0, "")
    assert "has new keys" in rekeyed.out
    assert (tmp_path / "out.bin").read_bytes() != first
    # What was said of the node's configuration before is below what is said now.
    board = boards.load("virtual")
    disk = disk_image.read(flash_of(tmp_path / "out.bin")[board.flash.vfs_offset_bytes :])
    config = cbor2.loads(cbor2.loads(disk[wire.FILE_CONFIG])[0])
    assert config[wire.C_VERSION] == 2
    with keystores.opened(store_path) as store:
        assert store.get("lorry 12").config_version == 2


def test_a_node_is_not_rekeyed_onto_another_kind_of_board(tmp_path: Path) -> None:
    store_path = keystores.make(tmp_path)
    assert command(tmp_path, "--node", node_toml(tmp_path), keystore=store_path).code == 0
    (tmp_path / "out.bin").unlink()
    given = ("--node", node_toml(tmp_path, board="ESP32_GENERIC"), "--micropython", "virtual", "--rekey")
    assert "is enrolled on virtual" in keystores.error_line(command(tmp_path, *given, keystore=store_path), 2)


def test_what_cannot_be_written_leaves_no_node_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_path = keystores.make(tmp_path)

    def fails(self: object, handover: Handover) -> None:
        raise PlumveilError("the disk is full")

    monkeypatch.setattr(image_commands._IntoImage, "__call__", fails)
    ended = command(tmp_path, "--node", node_toml(tmp_path), keystore=store_path)
    assert "the disk is full" in keystores.error_line(ended)
    with keystores.opened(store_path) as store:
        assert store.find("lorry 12") is None


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        ((), 2, "which board?"),
        (("--board", "ESP32_GENERIC"), 2, "micropython.org/download/ESP32_GENERIC"),
        (("--board", "ESP99"), 2, "no board named"),
        (("--board", "ESP32_GENERIC", "--micropython", "nowhere.bin"), 2, "cannot read nowhere.bin"),
        (("--board", "virtual", "--rekey"), 2, "--rekey is for"),
        (("--board", "ESP32_GENERIC", "--micropython", __file__), 1, "test_image_command.py"),
    ],
)
def test_a_wrong_command_is_one_line(tmp_path: Path, arguments: tuple[str, ...], code: int, fault: str) -> None:
    assert fault in keystores.error_line(command(tmp_path, *arguments), code)
    assert not list(tmp_path.iterdir())


def test_a_node_of_another_board_or_tenant_is_refused(tmp_path: Path) -> None:
    store_path = keystores.make(tmp_path)
    other_board = command(tmp_path, "--board", "ESP32_GENERIC", "--node", node_toml(tmp_path), keystore=store_path)
    assert "is for virtual" in keystores.error_line(other_board, 2)
    other_tenant = command(tmp_path, "--node", node_toml(tmp_path, tenant="umbrella"), keystore=store_path)
    assert "another tenant" in keystores.error_line(other_tenant, 2)
    with keystores.opened(store_path) as store:
        assert store.find("lorry 12") is None


def test_a_node_without_a_name_is_refused(tmp_path: Path) -> None:
    node = node_toml(tmp_path)
    node.write_text(node.read_text(encoding="utf-8").replace('name = "lorry 12"', ""), encoding="utf-8")
    ended = command(tmp_path, "--node", node, keystore=keystores.make(tmp_path))
    assert "gives the node no name" in keystores.error_line(ended, 2)
