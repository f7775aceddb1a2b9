"""A module in short names is the same program: scope by scope on CPython, and as it runs in the VM."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator

import pytest

from host_tools import short_names
from host_tools.errors import PlumveilError
from host_tools.firmware_build import compile_source
from host_tools.firmware_source import short_names as of_firmware
from host_tools.short_names import ShortNames
from host_tools.vm import Vm
from tests.host.shortened import MODULES, names_of


def scopes(table: symtable.SymbolTable) -> Iterator[tuple[list[str], list[tuple[bool, ...]]]]:
    """Of each scope its names, and what the compiler makes of each, in the order in which they are met."""
    symbols = table.get_symbols()
    yield (
        [symbol.get_name() for symbol in symbols],
        [
            (symbol.is_parameter(), symbol.is_local(), symbol.is_global(), symbol.is_free(), symbol.is_imported())
            for symbol in symbols
        ],
    )
    for child in table.get_children():
        yield from scopes(child)


def shape(source: str) -> list[str]:
    """The program without its identifiers."""
    return [
        f"{type(node).__name__} {node.value!r}" if isinstance(node, ast.Constant) else type(node).__name__
        for node in ast.walk(ast.parse(source))
    ]


def check_same_program(plain: str, short: str, names: ShortNames) -> int:
    """Fails unless `short` is `plain` with other names, and as many in every scope -> names that are others."""
    assert shape(plain) == shape(short)
    changed = 0
    before, after = (list(scopes(symtable.symtable(text, "x", "exec"))) for text in (plain, short))
    for (old, meaning), (new, new_meaning) in zip(before, after, strict=True):
        assert meaning == new_meaning
        assert len(set(new)) == len(new)
        for one, other in zip(old, new, strict=True):
            assert other == one or other in short_names.LETTERS or other == names.short[one]
            changed += other != one
    attributes = (
        [node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)]
        for text in (plain, short)
    )
    for one, other in zip(*attributes, strict=True):
        assert other == names.short.get(one, one)
    return changed


@pytest.mark.parametrize("name", MODULES)
def test_a_module_in_short_names_is_the_same_program(name: str) -> None:
    names = of_firmware()
    short = names.module(MODULES[name])
    changed = check_same_program(MODULES[name], short, names)
    assert changed > 0 or name.endswith(("__init__.py", "errors.py"))


TRICKS = '''
import sys

LIMIT = 3

def helper(amount, factor):
    """helper, amount and factor stand here too."""
    # helper(amount)
    return amount * factor

def closed_over(outer, amount):
    def inner(amount, extra=LIMIT):
        return outer + amount + extra
    def chosen(amount=40):
        return outer + amount
    return inner(amount) + (lambda outer: outer + amount)(amount) + chosen()

def gathered(items, *rest):
    return [items for items in items] + [amount for amount in rest if amount]

def caught(error, sys):
    try:
        raise ValueError(error)
    except ValueError as error:
        found = error.args[0]
    import sys
    return found, len(sys.path) > 0

def named(amount, *, factor=2, **helper):
    return amount, factor, sorted(helper)

def shadowed(helper):
    helper += 1
    for helper in range(helper):
        pass
    return helper

class Thing:
    helper = 5
    amount = helper + 1

    def __init__(self, amount, wide=LIMIT):
        self.amount = amount
        self.wide_attribute = wide
        self.wide_attribute += self.helper

    @property
    def doubled(self):
        return self.amount * 2

    def write(self, buf):
        return len(buf) + self.wide_attribute

def all_of_it():
    thing = Thing(4, wide=6)
    counter = [0]
    def count(step):
        counter[0] += step
        return counter
    count(2)
    return [
        helper(2, 3), closed_over(1, 2), gathered([1], 2, 0, 3), caught("x", 1), named(1, factor=3, wide=1, other=2),
        shadowed(3), thing.amount, thing.doubled, thing.write(buf=b"abc"), getattr(thing, "wide_attribute"), count(1),
        Thing.amount, sys is not None, hasattr(thing, "nothing"),
    ]

ANSWER = all_of_it()
print(ANSWER)
'''


def test_names_in_every_sort_of_place() -> None:
    names = names_of(TRICKS, others=("all_of_it",))
    short = names.module(TRICKS)
    check_same_program(TRICKS, short, names)
    found: dict[str, object] = {}
    exec(short, found)
    plain: dict[str, object] = {}
    exec(TRICKS, plain)
    assert found[names.short["ANSWER"]] == plain["ANSWER"]
    assert "def all_of_it" in short
    assert '"""helper, amount and factor stand here too."""\n    # helper(amount)\n' in short
    # Arguments given by their place are letters; those that a call names, or MicroPython may, are not.
    first, second = short_names.LETTERS[:2]
    assert f"def {names.short['closed_over']}({first}, {second}):" in short
    assert f"def {names.short['helper']}({first}, factor):" in short
    assert "def write(self, buf):" in short
    assert "wide=LIMIT".replace("LIMIT", names.short["LIMIT"]) in short


def test_micropython_may_name_arguments_of_a_function_that_it_knows() -> None:
    first, second, third = short_names.LETTERS[:3]
    source = "class Ours:\n    def wrap_socket(self, sock, server_hostname, mine): return sock\n"
    assert f"def wrap_socket(self, sock, server_hostname, {first}): return sock" in names_of(source).module(source)
    source = source.replace("wrap_socket", "wrapped_by_us")
    assert f"(self, {first}, {second}, {third}): return {first}" in names_of(source).module(source)
    # main.py and the prompt may too, of any.
    assert f"(self, sock, {first}, {second}): return sock" in names_of(source, by_name=("sock",)).module(source)


@pytest.mark.vm
def test_a_module_in_short_names_does_the_same_in_the_virtual_machine() -> None:
    names = names_of(TRICKS)
    with Vm(firmware=False, standins=False) as vm:
        vm.put("/lib/plain.mpy", compile_source(TRICKS.encode(), "plain.py"))
        vm.put("/lib/short.mpy", compile_source(names.module(TRICKS).encode(), "short.py"))
        plain, short = vm.run("import plain"), vm.run("import short")
    assert plain.ok, plain.error
    assert short.output == plain.output
    assert short.output.startswith("[6, ")


@pytest.mark.parametrize("source", ["def f(A): pass", "x = f'{y}'", "def f(:"])
def test_a_module_that_cannot_be_shortened_is_refused(source: str) -> None:
    with pytest.raises(PlumveilError):
        names_of("def function(): pass").module(source)
