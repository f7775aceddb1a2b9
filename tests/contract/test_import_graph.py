"""The firmware's shape, held by its import graph: stages never import one another, the radio has one door, nothing of
the machine is touched at import, and the host shares the formats, wire.py and terms.py, and nothing else.

Every module of the firmware stands in ALLOWED with all it may import. A new module, or a new import, is a decision:
enter it here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest

from tests.contract.sources import (
    FIRMWARE,
    PACKAGE,
    ROOT,
    imported_names,
    module_name,
    parse,
    python_files,
    run_at_import,
    shown,
)

STAGES = ("sense", "consent", "minimise", "pseudonym", "pack", "store", "uplink")
FOR_ALL = {"wire", "terms", "fixed", "errors", "trust"}

# module -> (modules of plumveil beside FOR_ALL, modules of MicroPython). "sense" alone is what the drivers share.
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "__init__": (set(), set()),
    # the stages
    "sense": (set(), set()),
    "sense.axp": ({"sense"}, set()),
    "sense.battery": ({"sense"}, set()),
    "sense.ds18b20": ({"sense"}, set()),
    "sense.health": ({"sense", "flash"}, {"gc"}),
    "sense.lis3dh": ({"sense"}, set()),
    "sense.nmea": ({"sense"}, set()),
    "sense.receiver": ({"sense", "sense.nmea"}, set()),
    "sense.sht4x": ({"sense"}, set()),
    "consent": ({"policy"}, set()),
    "minimise": ({"grid", "policy", "scatter"}, set()),
    "pseudonym": ({"cbor", "crypto"}, {"binascii"}),
    "pack": ({"cbor", "columns", "cose", "keys", "policy"}, set()),
    "store": ({"flash"}, {"os", "struct", "binascii"}),
    "uplink": (set(), {"binascii"}),
    # the libraries: each does one thing and knows no stage
    "alarm": (set(), set()),
    "cbor": (set(), set()),
    "clock": (set(), set()),
    "columns": (set(), set()),
    "config": ({"cbor", "crypto", "policy"}, set()),
    "cose": ({"cbor"}, set()),
    "crypto": (set(), {"hashlib", "cryptolib"}),
    "desk": ({"cbor", "flash", "grant"}, {"os", "sys", "hashlib"}),
    "drops": (set(), set()),
    "errors": (set(), set()),
    "fixed": (set(), set()),
    "flash": (set(), {"os"}),
    "grant": ({"cbor", "cose", "crypto", "policy"}, set()),
    "grid": (set(), set()),
    "held": ({"cbor", "flash", "grid"}, set()),
    "keys": ({"cbor", "crypto"}, set()),
    "keystate": ({"cbor", "policy"}, set()),
    "policy": ({"grid"}, set()),
    "scatter": ({"cbor", "crypto", "grid"}, set()),
    "hand": (set(), set()),
    "rest": (set(), set()),
    "selftest": ({"crypto"}, set()),
    "trial": ({"config", "flash"}, {"os", "sys"}),
    "terms": (set(), set()),
    "trust": (set(), set()),
    "undated": (set(), set()),
    "vault": ({"cbor", "flash"}, {"os", "hashlib"}),
    "wire": (set(), set()),
    # what puts them together
    "app": (set(), {"gc"}),
    "loop": (set(), {"os", "sys"}),
    "pipeline": ({"alarm"}, set()),
}
IMPORTS_NOTHING = ("wire", "terms", "trust", "errors", "fixed")
BUILDERS = ("service", "hardware")  # what may import every class and the hardware, inside its functions

NETWORK = {"network", "socket", "usocket", "ssl", "tls", "umqtt", "ntptime", "requests", "urequests", "asyncio"}
NETWORK |= {"espnow", "aioespnow", "bluetooth", "webrepl", "websocket", "mip", "aioble"}
HARDWARE = {"machine", "esp", "esp32", "onewire", "ds18x20", "dht", "time", "utime", "random", "vfs"} | NETWORK
SOCKET_CALLS = {"publish", "sendall", "sendto", "recv", "recvfrom", "getaddrinfo", "wrap_socket", "settimeout"}
SOCKET_CALLS |= {"sock"}
PURE_CALLS = {"const", "bytes", "bytearray", "tuple", "len", "range", "from_bytes", "unhexlify", "dumps"}
PURE_CALLS |= {"split", "_cosines"}

MODULES = {module_name(path): path for path in python_files(PACKAGE)}


def short(name: str) -> str:
    return name.removeprefix("plumveil").removeprefix(".") or "__init__"


def project_module(imported: str) -> str:
    """plumveil.wire.FIELDS -> wire: the longest part of an import's name that is one of our modules."""
    while imported not in MODULES and "." in imported:
        imported = imported.rpartition(".")[0]
    return short(imported)


def graph_faults(name: str, tree: ast.Module) -> list[str]:
    """What is wrong with the imports of the module of this short name."""
    if name in BUILDERS:
        return []
    if name not in ALLOWED:
        return [f"{name} is not in the table of modules"]
    ours, outside = ALLOWED[name]
    faults = []
    for imported, line in imported_names(tree):
        top = imported.partition(".")[0]
        if top == "plumveil":
            target = project_module(imported)
            if target not in ours | FOR_ALL or name in IMPORTS_NOTHING:
                faults.append(f"{name}:{line} imports {target}")
        elif top not in outside:
            faults.append(f"{name}:{line} imports {imported}")
    return faults


def import_time_faults(name: str, tree: ast.Module) -> list[str]:
    """What a module does to the machine, or calls, merely by being imported."""
    faults = []
    for node in run_at_import(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            taken = {imported.partition(".")[0] for imported, _ in imported_names(node)} & HARDWARE
            faults += [f"{name}:{line} imports {module} outside a function" for module in sorted(taken)]
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "?")
            if called not in PURE_CALLS:
                faults.append(f"{name}:{line} calls {called} at import")
        elif isinstance(node, (ast.With, ast.For, ast.While)):
            faults.append(f"{name}:{line} runs a loop or a context at import")
    return faults


def socket_faults(name: str, tree: ast.Module) -> list[str]:
    """Where a module other than uplink does what only uplink may: talk to the network."""
    if name == "uplink":
        return []
    faults = [
        f"{name}:{node.lineno} uses .{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in SOCKET_CALLS
    ]
    if name not in BUILDERS:
        faults += [
            f"{name}:{line} imports {imported}"
            for imported, line in imported_names(tree)
            if imported.partition(".")[0] in NETWORK
        ]
    return faults


def builder_faults(name: str, tree: ast.Module) -> list[str]:
    """A builder may hand the network's modules to Uplink; any other use of one is a second door."""
    faults = []
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        taken = set()
        for node in (n for n in ast.walk(function) if isinstance(n, (ast.Import, ast.ImportFrom))):
            if next(imported_names(node))[0].partition(".")[0] in NETWORK:
                taken |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        harmless: set[int] = set()
        for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
            if ast.unparse(call.func) in ("Uplink", "network.WLAN"):
                harmless |= {id(node) for node in ast.walk(call)}
        faults += [
            f"{name}:{node.lineno} uses {node.id}"
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and node.id in taken and id(node) not in harmless
        ]
    return faults


def host_faults(name: str, tree: ast.Module) -> list[str]:
    """Host code that reads more of the firmware than wire.py and terms.py."""
    return [
        f"{name}:{line} imports {imported}"
        for imported, line in imported_names(tree)
        if imported.partition(".")[0] == "plumveil"
        and not (imported + ".").startswith(("plumveil.wire.", "plumveil.terms."))
    ]


def test_every_stage_is_there() -> None:
    assert {short(name) for name in MODULES} >= set(STAGES)


def test_the_table_names_no_module_that_is_gone() -> None:
    assert set(ALLOWED) - {short(name) for name in MODULES} == set()


def test_the_table_lets_no_stage_import_another() -> None:
    for name, (ours, outside) in ALLOWED.items():
        if name.partition(".")[0] in STAGES:
            others = set(STAGES) - {name.partition(".")[0]}
            assert not {entry.partition(".")[0] for entry in ours} & others, name
            assert not outside & NETWORK, name


def found(rule: Callable[[str, ast.Module], list[str]]) -> list[str]:
    return [fault for name, path in MODULES.items() for fault in rule(short(name), parse(path))]


def test_modules_import_what_they_may() -> None:
    assert found(graph_faults) == []


def test_nothing_is_touched_at_import() -> None:
    assert found(import_time_faults) == []


def test_one_door_to_the_network() -> None:
    assert found(socket_faults) == []


def test_the_builder_hands_the_network_to_the_uplink_only() -> None:
    assert [fault for name in BUILDERS for fault in builder_faults(name, parse(PACKAGE / f"{name}.py"))] == []


def test_only_the_builder_and_main_build() -> None:
    for path in [*MODULES.values(), FIRMWARE / "boot.py", FIRMWARE / "main.py"]:
        imported = {project_module(name) for name, _ in imported_names(parse(path)) if name.startswith("plumveil")}
        assert path.stem in ("main", "service") or not imported & set(BUILDERS), path


# Says what the node's own stages give away, and nothing of any message: no codec is checked by it.
STUDIES_THE_STAGES = ROOT / "host_tools" / "privacy" / "attack" / "ours.py"


def test_the_host_shares_the_formats_only() -> None:
    # What is sent to a node runs there.
    ours = [path for path in python_files(ROOT / "host_tools") if path.parent.name != "node_code"]
    ours.remove(STUDIES_THE_STAGES)
    faults = [fault for path in ours for fault in host_faults(shown(path), parse(path))]
    assert faults == []


BROKEN = (
    (graph_faults, "minimise", "from plumveil import pseudonym", "minimise:1 imports pseudonym"),
    (
        graph_faults,
        "minimise",
        "def f():\n    from plumveil.sense.sht4x import Sht4x",
        "minimise:2 imports sense.sht4x",
    ),
    (graph_faults, "pack", "from . import store", "pack:1 imports ..store"),
    (graph_faults, "wire", "from plumveil import fixed", "wire:1 imports fixed"),
    (graph_faults, "grid", "import math", "grid:1 imports math"),
    (graph_faults, "newcomer", "", "newcomer is not in the table of modules"),
    (import_time_faults, "grid", "import machine", "grid:1 imports machine outside a function"),
    (import_time_faults, "keys", "import os\nSALT = os.urandom(16)", "keys:2 calls urandom at import"),
    (import_time_faults, "keys", "def f(salt=urandom(16)): pass", "keys:1 calls urandom at import"),
    (import_time_faults, "app", "class A:\n    pin = Pin(2)", "app:2 calls Pin at import"),
    (socket_faults, "app", "def f():\n    import socket", "app:2 imports socket"),
    (socket_faults, "service", "client.publish(b'', b'')", "service:1 uses .publish"),
    (host_faults, "x", "from plumveil import cbor", "x:1 imports plumveil.cbor"),
    (host_faults, "x", "from plumveil.terms import D_ID\nfrom plumveil import termsx", "x:2 imports plumveil.termsx"),
    (host_faults, "x", "from plumveil.wire import FIELDS\nimport plumveil", "x:2 imports plumveil"),
)


@pytest.mark.parametrize(("rule", "name", "source", "fault"), BROKEN)
def test_each_rule_finds_what_it_forbids(rule, name, source, fault) -> None:
    assert rule(name, ast.parse(source)) == [fault]


def test_the_builder_rule_finds_a_second_door() -> None:
    source = "def f():\n    import ntptime\n    ntptime.settime()\n    Uplink(ntptime.settime)"
    assert builder_faults("service", ast.parse(source)) == ["service:3 uses ntptime"]
