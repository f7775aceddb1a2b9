"""What the firmware's sources become before they are compiled: fewer and shorter names, the same program."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from host_tools import firmware_source
from host_tools.errors import PlumveilError
from host_tools.firmware_build import compile_source
from host_tools.firmware_source import (
    ERRORS,
    FIRMWARE,
    HANDED_OUT,
    KEPT_AS_SOURCE,
    PACKAGE,
    SHARED,
    as_source,
    beside,
    error_aliases,
    for_node,
    inlined,
    module_for_node,
    path_of,
    shared_names,
    short_names,
)
from host_tools.vm import Vm
from plumveil import wire

MODULES = [
    path.relative_to(FIRMWARE).as_posix()
    for path in sorted((FIRMWARE / "plumveil").rglob("*.py"))
    if path.stem not in SHARED
]


def source(name: str) -> str:
    return (FIRMWARE / name).read_text(encoding="utf-8")


def test_wire_constants_are_written_in_and_nothing_else_changes() -> None:
    plain = (
        "from plumveil import wire\n"
        "x = {wire.READINGS: wire.L_NEXT}  # wire.READINGS\n"
        "y = wire.FIELDS, wire.P_LIMITSX, 'wire.READINGS', firewire.READINGS\n"
        "wire.READINGS = 7\n"
    )
    assert inlined(plain) == (
        "from plumveil import wire\n"
        "x = {0: 'next'}  # wire.READINGS\n"
        "y = wire.FIELDS, wire.P_LIMITSX, 'wire.READINGS', firewire.READINGS\n"
        "wire.READINGS = 7\n"
    )


@pytest.mark.parametrize("name", ["FILE_SLOT", "FOLDER_QUEUE"])
def test_a_path_stays_where_a_test_can_put_another(name: str) -> None:
    assert inlined(f"wire.{name}") == f"wire.{name}"


@pytest.mark.parametrize("name", MODULES)
def test_lines_stay_where_they_are(name: str) -> None:
    plain, short = ast.parse(source(name)), ast.parse(for_node()[name])
    added = for_node()[name].count("\n") - source(name).count("\n")
    assert added == {PACKAGE: len(HANDED_OUT), ERRORS: len(error_aliases())}.get(name, 0)
    assert [node.lineno for node in plain.body] == [node.lineno for node in short.body][: len(plain.body)]
    assert len(short.body) == len(plain.body) + added


def test_an_import_that_nothing_is_left_of_goes() -> None:
    plain = "from plumveil import wire\nx = wire.EPOCH_S\n"
    assert module_for_node("plumveil/x.py", plain) == "pass\nx = 86400\n"
    plain = "def f():\n    from plumveil import cbor, wire\n    return cbor, wire.EPOCH_S\n"
    assert module_for_node("plumveil/x.py", plain) == "def f():\n    from . import cbor\n    return cbor, 86400\n"
    plain = "from plumveil import wire\nx = wire.FIELDS\n"
    assert module_for_node("plumveil/x.py", plain) == "from . import wire\nx = wire.FIELDS\n"


def test_imports_are_relative_to_the_modules_package() -> None:
    plain = (
        "import os\nfrom plumveil.errors import (\n    Malformed,\n    Rejected as Refusal,\n)\nfrom os import path\n"
    )
    assert module_for_node("plumveil/sense/x.py", plain) == (
        "import os\nfrom .. import eB, eC as Refusal\n\n\n\nfrom os import path\n"
    )


def test_one_import_brings_all_that_comes_from_the_package() -> None:
    plain = "from plumveil import cbor, wire\nfrom plumveil.errors import Malformed\nfrom plumveil.keys import y\n"
    plain += "from plumveil.trust import Fix\nx = cbor, wire.FIELDS, Malformed, Fix\n"
    fix = short_names().short["Fix"]
    assert module_for_node("plumveil/x.py", plain) == (
        f"from . import cbor, wire, eB, {fix}\npass\nfrom .keys import y\npass\nx = cbor, wire.FIELDS, eB, {fix}\n"
    )
    # Where it is imported for one function alone, it stays so.
    plain = (
        "from plumveil import cbor\ndef f():\n    from plumveil.errors import Malformed\n    raise Malformed(cbor)\n"
    )
    assert module_for_node("plumveil/x.py", plain) == (
        "from . import cbor\ndef f():\n    from . import eB\n    raise eB(cbor)\n"
    )


def test_an_error_is_the_same_by_either_name() -> None:
    aliases = error_aliases()
    assert set(aliases) == {node.name for node in ast.parse(source(ERRORS)).body if isinstance(node, ast.ClassDef)}
    assert len(set(aliases.values())) == len(aliases)
    with pytest.raises(PlumveilError, match="aliases of the compiled firmware's errors"):
        module_for_node("plumveil/x.py", "eB = 1\n")
    with Vm(standins=False) as vm:
        said = vm.run(
            "import plumveil\nfrom plumveil import errors\n"
            + "".join(
                f"print(errors.{name} is plumveil.{alias}, plumveil.{alias})\n" for name, alias in aliases.items()
            )
        )
    assert said.output.splitlines() == [f"True <class '{name}'>" for name in aliases]


CONSTANTS = """
_A = 5
_B = (b"x", "y", -1)
_TWICE = 1
_TWICE = 2
PUBLIC = 3
_COMPUTED = len("ab")
def f():
    return _A, _B, _LATE, _TWICE, PUBLIC, _COMPUTED
_LATE = 7
"""


def test_private_constants_are_written_in_where_they_follow() -> None:
    short = module_for_node("plumveil/x.py", CONSTANTS)
    assert short.replace("const(", "").replace(")", "") == CONSTANTS.replace(")", "")
    assert [line.split(" =")[0] for line in short.splitlines() if "const(" in line] == ["_A", "_B"]
    with Vm(firmware=False, standins=False) as vm:
        vm.put("/lib/short.mpy", compile_source(short.encode(), "short.py"))
        told = vm.run("import short\nprint(short.f(), hasattr(short, '_A'), hasattr(short, '_LATE'))")
    assert told.output == "(5, (b'x', 'y', -1), 7, 2, 3, 2) False True\n"


TABLES = ("FIELDS", "TIERS")
ALL_OF_M = "print({name: getattr(m, name) for name in dir(m) if name[0] != '_'})"


@pytest.mark.vm
def test_the_node_has_every_wire_name_its_modules_still_ask_for() -> None:
    texts = for_node()
    assert {("wire", "FILE_CONFIG"), ("wire", "RULES_SENT")} <= set().union(*map(shared_names, texts.values()))
    asked = set().union(*(shared_names(texts[name]) for name in MODULES))
    assert {module for module, _ in asked} <= SHARED.keys()
    found: dict[str, Any] = {}
    for module, known in SHARED.items():
        with Vm(standins=False) as vm:
            there = ast.literal_eval(vm.run(f"from plumveil import {module} as m\n{ALL_OF_M}").output)
        whole = {name for of, name in asked if of == module and hasattr(known, name)} - {"FIELDS", "TIERS"}
        assert {name: there[name] for name in whole} == {name: getattr(known, name) for name in whole}
        found |= there
    # Of the tables it has the columns that it reads, where they were.
    assert [(row[0], *row[2:6]) for row in wire.FIELDS] == [(row[0], *row[2:]) for row in found["FIELDS"]]
    assert [row[1:] for row in wire.TIERS] == [row[1:] for row in found["TIERS"]]
    assert {row[1] for row in found["FIELDS"]} == {row[0] for row in found["TIERS"]} == {None}


def columns_read(text: str) -> tuple[set[int], list[str]]:
    """Columns of wire.FIELDS that a module reads, with each row in a variable of that name or from field_row(); and
    uses of the tables that this cannot follow."""
    read: set[int] = set()
    tree = ast.parse(text)
    tables = {
        id(node): node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in TABLES
    }
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Name(id="row") | ast.Call(func=ast.Name(id="field_row")), slice=column):
                read.add(ast.literal_eval(column))
            case (
                ast.For(target=ast.Name(id="row"), iter=table)
                | ast.comprehension(target=ast.Name(id="row"), iter=table)
            ):
                tables.pop(id(table), None)
            case ast.Subscript(value=ast.Subscript(value=table), slice=ast.Constant(value=1)):
                tables.pop(id(table), None)
            case ast.Call(func=ast.Name(id="len"), args=[table]):
                tables.pop(id(table), None)
    return read, [f"line {line}" for line in sorted(tables.values())]


def test_no_module_reads_a_column_that_the_node_lacks() -> None:
    read: set[int] = set()
    for name in MODULES:
        columns, others = columns_read(source(name))
        assert not others, name
        read |= columns
    assert read == {0, 2, 3, 4, 5}
    assert columns_read("for row in wire.FIELDS: row[1]\n") == ({1}, [])
    assert columns_read("x = wire.TIERS[2][0]\nfor a, b in wire.FIELDS: pass\n") == (set(), ["line 1", "line 2"])


@pytest.mark.parametrize("name", KEPT_AS_SOURCE)
def test_boot_files_lose_their_comments_only(name: str) -> None:
    short = as_source(name).decode()
    plain = re.sub(r"(?m)^\s*#.*$", "", source(name))
    assert "#" not in short
    assert ast.dump(ast.parse(short)) == ast.dump(ast.parse(source(name)))
    assert short.count("\n") == source(name).count("\n")
    deep = [
        [len(line) - len(line.lstrip(" ")) for line in text.splitlines() if line.strip()] for text in (short, plain)
    ]
    assert [4 * n for n in deep[0]] == deep[1]


def test_names_that_others_ask_for_stay() -> None:
    names = short_names()
    asked = {"build", "run", "advice", "turn", "forget", "step", "status", "ack", "enrol", "retire", "open_vault"}
    asked |= {node.name for node in ast.walk(ast.parse(source(ERRORS))) if isinstance(node, ast.ClassDef)}
    asked |= {"hmac_sha256", "generation_of", "k_config", "interrupt", "cbor", "FIELDS", "elapsed_ms"}
    assert asked <= names.kept
    assert not asked & names.short.keys()
    assert {"_commit", "KeyChain", "lat_step_e6", "take_position"} <= names.short.keys()


@pytest.mark.parametrize("name", [*KEPT_AS_SOURCE, "node_code/names.py", "node_code/self_test.py"])
def test_what_runs_beside_the_firmware_on_a_node_needs_no_translation(name: str) -> None:
    path = FIRMWARE / name if name in KEPT_AS_SOURCE else firmware_source.HOST / name
    text = path.read_text(encoding="utf-8")
    assert short_names().beside(text) == text


def test_code_in_host_tools_is_found_wherever_it_stands() -> None:
    found = "".join(firmware_source._code_in_host_tools())
    for words in ("service.enrol(", "app.store.ack", "loop.turn(app", "app.step", "flash.save(", "area.blocks"):
        assert words in found, words


def test_code_for_a_node_with_a_mistake_is_refused() -> None:
    with pytest.raises(PlumveilError, match=r"^line 2: "):
        beside("x = 1\ndef f(:\n")


SEALING = """
from binascii import hexlify
from plumveil import cbor, columns, cose, crypto, grid
from plumveil.errors import Malformed
ccm = crypto.AesCcm(bytes(range(32)))
message = cose.encrypt0(ccm, bytes(13), 7, b"k" * 8, [1, 2], b"aad", columns.encode([([1, 2, None, 9], 0, 20)]))
print(hexlify(message), grid.cell_for(48137000, 11575000, 3, None), grid.margin_m(2))
print(cbor.loads(cbor.dumps({1: [None, True, -5]}), depth_max=3))
try:
    cbor.loads(b"\\x18\\x01")
except Malformed as e:
    print(e, type(e).__name__)
"""


@pytest.mark.vm
def test_a_firmware_in_plain_names_does_the_same() -> None:
    with Vm() as vm:
        short = vm.run(beside(SEALING))
    with Vm(firmware=False) as vm:
        for name in (*MODULES, *map(path_of, SHARED)):
            path = f"/lib/{name.removesuffix('.py')}.mpy"
            vm.put(path, compile_source(source(name).encode(), name))
        plain = vm.run(SEALING)
    assert plain.ok, plain.error
    assert short.output == plain.output
    assert "Malformed" in short.output
    with Vm() as vm:
        assert vm.run(SEALING).error_type == "AttributeError"


@pytest.mark.vm
def test_a_comprehension_has_no_name_in_a_module_of_its_own() -> None:
    text = "def f(x):\n    return [y.nothing for y in x], {y: 1 for y in x}, (lambda: x)\nf([1])\n"
    mpy = compile_source(text.encode(), "x.py")
    assert not re.search(rb"comp>|expr>|lambda>", mpy)
    with Vm(firmware=False, standins=False) as vm:
        vm.put("/lib/x.mpy", mpy)
        assert vm.run("import x").error_type == "AttributeError"
        vm.put(
            "/lib/y.mpy",
            compile_source(b"print([n * n for n in (1, 2)], (lambda: 3)(), {n: n for n in (4,)})", "y.py"),
        )
        assert vm.run("import y").output == "[1, 4] 3 {4: 4}\n"
