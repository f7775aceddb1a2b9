"""Short names: which names get one, that nothing else changes, and that nobody's names are touched."""

from __future__ import annotations

import ast

import pytest

from host_tools import micropython_names, short_names
from host_tools.errors import PlumveilError
from host_tools.firmware_source import short_names as of_firmware
from host_tools.short_names import ShortNames, own
from host_tools.source_edits import identifiers
from host_tools.vm import Vm
from tests.host.shortened import MODULES, names_of

# --- which names --------------------------------------------------------------------------------------------------

KINDS = """
MODULE_WIDE = 1
first, (second, *third) = 1, (2, 3)
if MODULE_WIDE:
    inside_if = 2
for each in ():
    pass
def function(given, chosen=1, *rest, only, **named):
    local = given
    local.attribute, other = 1, 2
    def nested(): pass
    return lambda one, two=2: one
class Class:
    in_class = 1
    __slots__ = ()
    def __init__(self): pass
    def method(self): self.other_attribute += 1
"""


def test_what_a_module_calls_its_own() -> None:
    assert own(ast.parse(KINDS)) == {
        *("MODULE_WIDE", "first", "second", "third", "inside_if", "each"),
        *("function", "chosen", "only", "named", "attribute", "nested", "two"),
        *("Class", "in_class", "method", "other_attribute"),
    }


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("def function_of_ours(): pass\ngetattr(x, 'function_of_ours')", "function_of_ours"),
        ("def argument(argument_of_ours=1): pass\nf(argument_of_ours=2)", "argument_of_ours"),
        ("class Ours:\n def readfrom_mem_into(self): pass", "readfrom_mem_into"),  # machine.I2C's
        ("class Ours:\n def settimeout(self): pass", "settimeout"),  # socket's
        ("class Ours:\n def setdefault(self): pass", "setdefault"),  # dict's
        ("class Ours:\n def __init__(self): pass", "__init__"),
        ("def function_of_ours(): pass", "named_elsewhere"),
        ("n = no = 1", "no"),
    ],
)
def test_a_name_that_somebody_asks_for_stays(source: str, name: str) -> None:
    names = names_of(f"def {name}(): pass\n{source}", others=("named_elsewhere",))
    assert name not in names.short
    assert name in names.module(source) or name == "named_elsewhere"


def test_no_two_names_become_one_and_none_becomes_a_name_that_is_there() -> None:
    names = of_firmware()
    short = set(names.short.values())
    assert len(names.short) > 300
    inside = {name for name, form in names.short.items() if form in short_names.NUMBERED}
    short -= set(short_names.NUMBERED)
    assert len(short) == len(names.short) - len(inside)
    assert not short & names.kept
    for source in MODULES.values():
        mine = [names.short[name] for name in identifiers(ast.parse(source)) & inside]
        assert len(set(mine)) == len(mine)
    for source in MODULES.values():
        assert not identifiers(ast.parse(source)) & (short | set(short_names.LETTERS))
    assert len(set(short_names.LETTERS)) == len(short_names.LETTERS)
    assert {len(name) for name in short} == {2}


def test_the_same_sources_give_the_same_names_in_any_order() -> None:
    trees = [ast.parse(source) for source in MODULES.values()]
    one = ShortNames.of(trees, ("a_name",), ())
    other = ShortNames.of(reversed(trees), ("a_name",), ())
    assert list(one.short.items()) == list(other.short.items())
    assert names_of("def something_of_ours(): pass", "something_of_ours()").short == {"something_of_ours": "Hw"}


def test_a_new_name_leaves_most_of_the_others() -> None:
    trees = [ast.parse(source) for source in MODULES.values()]
    before = ShortNames.of(trees, (), ()).short
    for n in range(20):
        after = ShortNames.of([*trees, ast.parse(f"def something_new_{n}(): pass")], (), ()).short
        assert after.keys() - before.keys() == {f"something_new_{n}"}
        assert sum(after[name] != before[name] for name in before) <= 3


# --- nobody else's names ------------------------------------------------------------------------------------------


def test_the_list_of_micropythons_names_is_that_of_its_stubs() -> None:
    kept = short_names.MICROPYTHON.read_text(encoding="ascii")
    assert kept == micropython_names.text(micropython_names.names())
    assert {"readfrom_mem_into", "publish", "server_hostname", "setdefault", "lightsleep"} <= set(kept.split())


EVERYTHING = """
import builtins, binascii, cryptolib, esp32, gc, hashlib, io, json, machine, micropython, network, ntptime, onewire
import os, socket, ssl, struct, sys, time, umqtt.simple
found = set()
def look(one, depth):
    for name in dir(one):
        found.add(name)
        if depth and not name.startswith("__"):
            look(getattr(one, name), depth - 1)
for module in (builtins, binascii, cryptolib, esp32, gc, hashlib, io, json, machine, micropython, network, ntptime,
               onewire, os, socket, ssl, struct, sys, time, umqtt.simple):
    look(module, 1)
for one in ("", b"", bytearray(), memoryview(b""), [], (), {}, set(), 1, None, len, open, OSError(5), iter([])):
    look(one, 0)
for one in (hashlib.sha256(), cryptolib.aes(bytes(16), 1), socket.socket(), open("/x", "wb"), io.StringIO()):
    look(one, 0)
print(" ".join(found))
"""


@pytest.mark.vm
def test_no_name_that_the_virtual_machine_knows_is_renamed_or_given() -> None:
    with Vm() as vm:
        told = vm.run(EVERYTHING)
    assert told.ok, told.error
    there = set(told.output.split())
    assert {"append", "readinto", "publish", "settimeout", "digest", "Partition", "errno", "to_bytes"} <= there
    names = of_firmware()
    there = {name for name in there if not name.startswith("_")}
    assert not there & names.short.keys()
    # Methods of strings and the like serve what a module keeps to itself.
    assert there & set(names.short.values()) <= set(short_names.NUMBERED)


# --- code beside the firmware -------------------------------------------------------------------------------------


def test_code_beside_the_firmware_is_put_in_its_names() -> None:
    # Asked for in two modules.
    source = "class Thing:\n    def go_on(self, amount, chosen=1): self.way_taken = 1\n    def inner(self): pass\n"
    names = names_of(source, "def other_one(chosen=1): return Thing().go_on().way_taken\n")
    thing, go_on, way_taken, chosen = (names.short[name] for name in ("Thing", "go_on", "way_taken", "chosen"))
    plain = "def f(amount):\n    Thing().go_on(amount, chosen=2)  # go_on\nsetattr(x, 'way_taken', 'go_on')\n"
    assert names.beside(plain) == (
        f"def f(amount):\n    {thing}().{go_on}(amount, {chosen}=2)  # go_on\nsetattr(x, {way_taken!r}, 'go_on')\n"
    )
    assert names.spelt_out(f'File "x", in {go_on}\n{way_taken} of {thing}: ä') == (
        'File "x", in go_on\nway_taken of Thing: ä'
    )
    # What one module alone has it shares with others; the traceback names the module.
    inner = names.short["inner"]
    assert inner == names.short["other_one"]
    assert inner in short_names.NUMBERED
    said = names.spelt_out(f'File "x", line 1, in {inner}\n{inner} list')
    assert said == f'File "x", line 1, in inner/other_one\n{inner} list'


def test_code_with_a_name_that_is_anothers_short_form_is_refused() -> None:
    names = names_of("class Thing: pass\n", "x = Thing\n")
    short = names.short["Thing"]
    for code in (f"{short} = 1", f"x.{short}", f"def f({short}): pass", f"import x as {short}"):
        with pytest.raises(PlumveilError, match=f"^{short}: short names of the compiled firmware"):
            names.beside(code)
