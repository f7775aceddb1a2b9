"""Short names for what the firmware calls its own: a name costs flash in every module that has it, and heap once.

Must never rename what anybody else asks for by its name, nor make one name of two. A short form follows from the name
alone, unless another has taken it: what changes in one module leaves most of the others as they were.
"""

from __future__ import annotations

import ast
import re
import string
import tokenize
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from host_tools.errors import PlumveilError
from host_tools.source_edits import Place, Span, Text, identifiers

MICROPYTHON = Path(__file__).with_name("micropython_names.txt")
# Names of arguments. MicroPython has the first of them by number (py/makeqstrdata.py, static_qstr_list): they take a
# byte in a module, a letter takes three.
LETTERS = (
    *("__dir__", "__delitem__", "__enter__", "__exit__", "__getitem__", "__hash__", "__iter__", "__len__"),
    *("__next__", "__repr__", "__setitem__", "__str__", "__int__", "__new__"),
    *string.ascii_uppercase,
)
# Everything else has two characters.
_SHORT = tuple(first + second for first in string.ascii_uppercase for second in string.ascii_letters + string.digits)
# What MicroPython's own types can and no firmware needs, also had by number: for what a module keeps to itself, in
# each anew.
NUMBERED = (
    *("isalpha", "isdigit", "islower", "isspace", "isupper", "lstrip", "rstrip", "rsplit", "rfind", "rindex"),
    *("popitem", "setdefault", "issubclass", "classmethod", "staticmethod", "bytecode", "callable", "locals"),
    *("globals", "eval", "exec", "repr", "reverse", "startswith", "endswith", "copy", "format", "index", "insert"),
    *("lower", "upper", "send", "sort", "strip", "throw", "little", "builtins"),
)
_BY_NAME = ("getattr", "setattr", "hasattr", "delattr")
Function = ast.FunctionDef | ast.Lambda


@cache
def micropython_names() -> frozenset[str]:
    """Names that MicroPython on an ESP32 and its modules have; see host_tools.micropython_names."""
    return frozenset(MICROPYTHON.read_text(encoding="ascii").split())


def own(tree: ast.Module) -> set[str]:
    """What a module gives a name to and others may ask for: functions, classes, attributes, variables of module and
    class, arguments with a default. Names of the language (__init__) are none."""
    found = {
        part.id for part in _outside_functions(tree) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name):
                found |= {name} | _names(_arguments(node)) - _names(_placed(node))
            case ast.Lambda():
                found |= _names(_arguments(node)) - _names(_placed(node))
            case ast.ClassDef(name=name) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
    return {name for name in found if not name.startswith("__")}


def asked_for(tree: ast.Module) -> set[str]:
    """What a module may ask somebody else for by a string, as getattr does: every string of it."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def keywords(tree: ast.Module) -> set[str]:
    """The arguments that a module's calls give by name."""
    return {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg}


@dataclass(frozen=True)
class ShortNames:
    """short: own name -> its short form. kept: names that stay as they are, whoever they belong to; by_name: those of
    them that calls give arguments by."""

    short: Mapping[str, str]
    kept: frozenset[str]
    by_name: frozenset[str]

    @classmethod
    def of(cls, modules: Iterable[ast.Module], others: Iterable[str], by_name: Iterable[str]) -> ShortNames:
        """Of a firmware. others: names that stay; by_name: arguments that other code gives by their names."""
        trees = list(modules)
        by_name = frozenset().union(by_name, *map(keywords, trees))
        stay = by_name.union(others, micropython_names(), *map(asked_for, trees))
        taken = stay.union(*map(identifiers, trees))
        short = _kept_inside(trees, stay)
        for name in sorted(set().union(*map(own, trees)) - stay - short.keys()):
            if len(name) > 2:
                short[name] = next(one for one in _circle(name) if one not in taken)
                taken |= {short[name]}
        return cls(dict(sorted(short.items())), stay, by_name)

    def module(self, source: str) -> str:
        """A module of the firmware in short names. Arguments that every call gives by their place become letters."""
        text = Text(source)
        self._check(text, set(LETTERS))
        visitor = _Lettered(self.by_name)
        visitor.visit(text.tree)
        return self._renamed(text, {text.start(node): letter for node, letter in visitor.found})

    def beside(self, source: str) -> str:
        """Code that runs beside the compiled firmware, in its names; getattr and its like too.

        Errors: PlumveilError when the code has a name that is the short form of another.
        """
        text = Text(source)
        self._check(text, set())
        words = {}
        for node in ast.walk(text.tree):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[_, ast.Constant(value=str(asked)) as found, *_]):
                    if name in _BY_NAME and asked in self.short:
                        words[text.start(found)] = repr(self.short[asked])
        return self._renamed(text, words)

    def spelt_out(self, text: str) -> str:
        """What a node said, a traceback say, with names as they stand in the sources; arguments are left."""
        long = {short: name for name, short in self.short.items() if short not in NUMBERED}
        inside: dict[str, list[str]] = {}
        for name, short in self.short.items():
            if short in NUMBERED:
                inside.setdefault(short, []).append(name)
        text = re.sub(r"\w+", lambda word: long.get(word[0], word[0]), text)
        # Which of them it is, the module tells that stands before.
        return re.sub(r"(?m)(?<=, in )\w+$", lambda word: "/".join(inside.get(word[0], [word[0]])), text)

    def _check(self, text: Text, letters: set[str]) -> None:
        clash = identifiers(text.tree) & (letters | set(self.short.values()) - set(NUMBERED))
        if clash:
            raise PlumveilError(f"{', '.join(sorted(clash))}: short names of the compiled firmware; take longer ones")

    def _renamed(self, text: Text, places: Mapping[Place, str]) -> str:
        """places: what stands there instead, whatever the map says."""
        edits: dict[Span, str] = {}
        for token in text.tokens(tokenize.NAME, tokenize.STRING):
            word = places.get(token.start) or (token.type == tokenize.NAME and self.short.get(token.string))
            if word:
                edits[token.start, token.end] = word
        return text.edited(edits)


def _kept_inside(trees: list[ast.Module], stay: frozenset[str]) -> dict[str, str]:
    """Names that one module alone has, of its own and of attributes of self, and their forms, which are those of
    another module's as well: nobody else asks for either."""
    everywhere = Counter(name for tree in trees for name in identifiers(tree))
    free = [name for name in NUMBERED if name not in everywhere]
    short: dict[str, str] = {}
    for tree in trees:
        others = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self")
        }
        inside = [
            name
            # Private constants last: most are written in, and have no name left.
            for name in sorted(own(tree) - stay - others, key=lambda name: (name[0] == "_" and name.isupper(), name))
            if everywhere[name] == 1 and len(name) > 2
        ]
        short |= dict(zip(inside, free, strict=False))
    return short


class _Lettered(ast.NodeVisitor):
    """found: (place of a required argument or of its use, letter). Nothing that is local has a name in bytecode, but
    arguments do: letters, the same in every function, cost the least."""

    def __init__(self, by_name: frozenset[str]) -> None:
        self.found: list[tuple[ast.arg | ast.Name, str]] = []
        self._by_name = by_name | {"self"}  # which MicroPython has anyway
        self._scope: dict[str, str] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        # MicroPython may call a function that has a name it knows, and give arguments by names it knows.
        known = micropython_names() if node.name in micropython_names() else frozenset()
        self._visit(node, self._by_name | known, node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit(node, self._by_name, [node.body])

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self._scope:
            self.found.append((node, self._scope[node.id]))

    def _visit(self, node: Function, stay: frozenset[str], body: list[ast.stmt] | list[ast.expr]) -> None:
        for outside in (*node.args.defaults, *node.args.kw_defaults, *getattr(node, "decorator_list", ())):
            if outside is not None:
                self.visit(outside)
        outer = self._scope
        free = iter([letter for letter in LETTERS if letter not in outer.values()])
        stay |= _otherwise_bound(node)
        self._scope = {name: letter for name, letter in outer.items() if name not in _names(_arguments(node))}
        for arg in _placed(node):
            if arg.arg not in stay and (letter := next(free, None)):
                self._scope[arg.arg] = letter
                self.found.append((arg, letter))
        for part in body:
            self.visit(part)
        self._scope = outer


def _arguments(node: Function) -> list[ast.arg]:
    extra = [one for one in (node.args.vararg, node.args.kwarg) if one is not None]
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, *extra]


def _placed(node: Function) -> list[ast.arg]:
    """Arguments that have to be given, by their place."""
    placed = [*node.args.posonlyargs, *node.args.args]
    return placed[: len(placed) - len(node.args.defaults)] + ([node.args.vararg] if node.args.vararg else [])


def _names(arguments: Iterable[ast.arg]) -> set[str]:
    return {arg.arg for arg in arguments}


def _otherwise_bound(node: Function) -> set[str]:
    """Names that something else than an assignment binds in a function: such a place is no ast.Name."""
    found: set[str] = set()
    for part in ast.walk(node):
        match part:
            case ast.ExceptHandler(name=str(name)) | ast.ClassDef(name=name):
                found.add(name)
            case ast.FunctionDef(name=name) if part is not node:
                found.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                found.update(names)
            case ast.alias(name=name, asname=asname):
                found.add(asname or name.partition(".")[0])
    return found


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for part in ast.iter_child_nodes(node):
        if not isinstance(part, Function):
            yield part
            yield from _outside_functions(part)


def _circle(name: str) -> Iterator[str]:
    """All short forms, from the one that is the name's by its CRC-32."""
    start = zlib.crc32(name.encode())
    return (_SHORT[(start + n) % len(_SHORT)] for n in range(len(_SHORT)))
