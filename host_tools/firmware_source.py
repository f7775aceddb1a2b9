"""What the firmware's sources become before mpy-cross compiles them: the same program with fewer and shorter names.

wire.py's integers and short strings take the place of their names, constants become mpy-cross's const(), imports
become relative, as few as there can be, and what the firmware calls its own gets a short name. Lines stay where they
are. Must never change what the program does, nor a name that main.py, the host or MicroPython asks for.
"""

from __future__ import annotations

import ast
import re
import string
import tokenize
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from host_tools.errors import PlumveilError
from host_tools.short_names import ShortNames, keywords
from host_tools.source_edits import Span, Text, identifiers
from plumveil import terms, wire

ROOT = Path(__file__).resolve().parents[1]
FIRMWARE = ROOT / "firmware"
HOST = ROOT / "host_tools"
SHARED = {"wire": wire, "terms": terms}  # what the host shares with the node: names of numbers and tables, no more
PACKAGE = "plumveil/__init__.py"
ERRORS = "plumveil/errors.py"
HANDED_OUT = ("errors", "trust", "fixed")  # modules that import nothing: all of them can be had of the package
KEPT_AS_SOURCE = ("boot.py", "main.py")
# Of the code that is sent to a node, what goes as deep as tests do: in the names of this very version.
OF_THIS_VERSION = ("preview.py",)
INDENT = 4  # spaces, as ruff formats
TEXT_MAX = 10  # characters of a string that MicroPython keeps as it keeps a name
# Where files lie: tests in the VM put others in their place.
_PATHS = ("FILE_", "FOLDER_")
# The host itself reads wire.py and terms.py and no other module: whoever imports another does so in code for a node.
_CODE_FOR_A_NODE = re.compile(
    r"\bplumveil\.\w+ import |\bplumveil import (?!(?:terms, )?wire\b|terms$)", re.MULTILINE
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_GIVEN_BY_NAME = re.compile(r"\b([A-Za-z_]\w*)=(?!=)")


def for_node() -> dict[str, str]:
    """The firmware's modules as they are to be compiled: name like "plumveil/wire.py" -> source."""
    return dict(_for_node(_modules()))


def module_for_node(name: str, source: str) -> str:
    """One module, changed or not, as it is to be compiled beside the others. Errors: PlumveilError, not naming it."""
    source = _relative(_constants(_without_shared(inlined(source))), name.count("/"))
    return short_names().module(source) + _added(name)


def as_source(name: str) -> bytes:
    """boot.py or main.py as a node gets it: without comments, one space deep for each block."""
    text = Text((FIRMWARE / name).read_text(encoding="utf-8"))
    edits = {(token.start, token.end): "" for token in text.tokens(tokenize.COMMENT)}
    for token in text.tokens(tokenize.STRING):
        if token.start[0] != token.end[0]:
            raise PlumveilError(f"{name}: a string over several lines, whose blanks would go")
    lines = text.edited(edits).splitlines()
    return "".join(_outdented(line.rstrip()) + "\n" for line in lines).encode()


def _outdented(line: str) -> str:
    code = line.lstrip(" ")
    return " " * ((len(line) - len(code)) // INDENT) + code


def beside(source: str) -> str:
    """Code that runs beside the compiled firmware, a test or a bench, in the firmware's names."""
    return short_names().beside(inlined(source))


def short_names() -> ShortNames:
    """The names of the firmware as it stands."""
    return _short_names(_modules())


def inlined(source: str) -> str:
    """Source with wire.py's integers and short strings in place of their names: a node's own wire.py has the rest."""
    text = Text(source)
    edits = {}
    for node in ast.walk(text.tree):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name, ctx=ast.Load()) if module in SHARED:
                if _is_written_in(module, name):
                    edits[text.span(node)] = repr(getattr(SHARED[module], name))
    return text.edited(edits)


def shared_names(source: str) -> set[tuple[str, str]]:
    """What a source asks wire.py for: {("wire", name)}."""
    return {
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in SHARED
    }


@cache
def error_aliases() -> dict[str, str]:
    """The errors' names in the firmware's modules: name -> alias. Their own stay: the prompt says which it was."""
    tree = ast.parse((FIRMWARE / ERRORS).read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    return {name: "e" + letter for name, letter in zip(names, string.ascii_uppercase, strict=False)}


def _added(name: str) -> str:
    """What a module has beside its source: the package hands out what most ask for, errors by aliases too."""
    if name == PACKAGE:
        return "".join(f"from .{module} import *\n" for module in HANDED_OUT)
    return "".join(f"{alias} = {name}\n" for name, alias in error_aliases().items()) if name == ERRORS else ""


def path_of(module: str) -> str:
    """A shared module's name among the firmware's files."""
    return f"plumveil/{module}.py"


def _modules() -> tuple[tuple[str, str], ...]:
    paths = sorted((FIRMWARE / "plumveil").rglob("*.py"))
    return tuple((path.relative_to(FIRMWARE).as_posix(), path.read_text(encoding="utf-8")) for path in paths)


@lru_cache(4)
def _for_node(modules: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    shared = {path_of(module): module for module in SHARED}
    sources = {name: module_for_node(name, source) for name, source in modules if name not in shared}
    asked = sorted(set().union(*map(shared_names, sources.values())))
    for path, module in shared.items():
        names = [name for of, name in asked if of == module and hasattr(SHARED[module], name)]
        sources[path] = "".join(f"{name} = {_on_node(module, name)!r}\n" for name in names)
    return tuple(sources.items())


def _on_node(module: str, name: str) -> object:
    """A table of wire.py without the columns that only the host reads."""
    if (module, name) == ("wire", "FIELDS"):
        return tuple((row[0], None, *row[2:6]) for row in wire.FIELDS)
    if (module, name) == ("wire", "TIERS"):
        return tuple((None, size_m) for _, size_m in wire.TIERS)
    return getattr(SHARED[module], name)


@lru_cache(4)
def _short_names(modules: tuple[tuple[str, str], ...]) -> ShortNames:
    trees = {name: ast.parse(source) for name, source in modules}
    asked, by_name = _asked_for_elsewhere()
    stay = {part for name in trees for part in Path(name).with_suffix("").parts}
    stay |= asked.union(*(identifiers(trees.pop(path_of(module))) for module in SHARED))
    # The prompt says what kind of error it was.
    stay |= {node.name for node in ast.walk(trees[ERRORS]) if isinstance(node, ast.ClassDef)}
    return ShortNames.of(trees.values(), stay, by_name)


@cache
def _asked_for_elsewhere() -> tuple[frozenset[str], frozenset[str]]:
    """Names in what runs on a node beside the firmware, or under it in the VM; arguments given by name there."""
    names: set[str] = set()
    by_name: set[str] = set()
    for folder in (HOST / "node_code", HOST / "standins"):
        for path in folder.rglob("*.py"):
            if path.name in OF_THIS_VERSION:
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            by_name |= keywords(tree)
            # Tests reach for what stand-ins have, and not for what they keep to themselves.
            inside = "_" if folder.name == "standins" else "\0"
            names |= {name for name in identifiers(tree) if not name.startswith(inside)}
    for name in KEPT_AS_SOURCE:
        tree = ast.parse((FIRMWARE / name).read_text(encoding="utf-8"))
        names |= identifiers(tree)
        by_name |= keywords(tree)
    for code in _code_in_host_tools():
        names.update(_WORD.findall(code))
        by_name.update(_GIVEN_BY_NAME.findall(code))
    return frozenset(names), frozenset(by_name)


def _code_in_host_tools() -> Iterator[str]:
    """Every string of the host tools' files that have code for a node, descriptions aside."""
    for path in HOST.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if "node_code" not in path.parts and _CODE_FOR_A_NODE.search(source):
            tree = ast.parse(source)
            said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
                    yield node.value


def _is_written_in(module: str, name: str) -> bool:
    value = getattr(SHARED[module], name, None)
    return type(value) is int or (type(value) is str and len(value) <= TEXT_MAX and not name.startswith(_PATHS))


def _without_shared(source: str) -> str:
    """Without the import of wire.py, where nothing of it is left."""
    text = Text(source)
    spent = SHARED.keys() - {module for module, _ in shared_names(source)}
    edits: dict[Span, str] = {}
    for node in ast.walk(text.tree):
        match node:
            case ast.ImportFrom(module="plumveil", names=names) if any(alias.name in spent for alias in names):
                left = ", ".join(alias.name for alias in names if alias.name not in spent)
                edits[text.span(node)] = f"from plumveil import {left}" if left else "pass"
    return text.edited(edits)


def _relative(source: str, depth: int) -> str:
    """With imports of the firmware's own relative to the module's package: its name is a long one."""
    text = Text(source)
    edits: dict[Span, str] = {}
    first: Span | None = None
    for node in ast.walk(text.tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] == "plumveil":
                place = text.span(node)
                asked = ", ".join(alias.name + (f" as {alias.asname}" if alias.asname else "") for alias in names)
                if module.removeprefix("plumveil.") in HANDED_OUT:
                    module = "plumveil"
                edits[place] = f"from {'.' * depth}{module.partition('.')[2]} import {asked}"
                if module == "plumveil" and node in text.tree.body:
                    # One import of the package gives all that comes from it.
                    if first is None:
                        first = place
                    else:
                        edits[first] += f", {asked}"
                        edits[place] = "pass"
    return _with_aliases(text.edited(edits))


def _with_aliases(source: str) -> str:
    """With the errors that it imports under their aliases."""
    text = Text(source)
    imported = {
        alias.name for node in ast.walk(text.tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    aliases = {name: alias for name, alias in error_aliases().items() if name in imported}
    if identifiers(text.tree) & set(error_aliases().values()):
        raise PlumveilError("aliases of the compiled firmware's errors; take longer names")
    return text.edited(
        {
            (token.start, token.end): aliases[token.string]
            for token in text.tokens(tokenize.NAME)
            if token.string in aliases
        }
    )


def _constants(source: str) -> str:
    """With private constants of the module as mpy-cross's const(): it writes them in, where they follow."""
    text = Text(source)
    edits: dict[Span, str] = {}
    for statement in text.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.startswith("_") and _is_literal(value):
                if _is_first_and_only_store(statement, name, text.tree):
                    begin, end = text.span(value)
                    edits[begin, begin], edits[end, end] = "const(", ")"
    return text.edited(edits)


def _is_first_and_only_store(statement: ast.Assign, name: str, tree: ast.Module) -> bool:
    places = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
    return all(
        node is statement.targets[0] or (isinstance(node.ctx, ast.Load) and node.lineno > statement.lineno)
        for node in places
    )


def _is_literal(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return type(value) in (int, bytes, str)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)):
            return type(value) is int
        case ast.Tuple(elts=parts):
            return all(map(_is_literal, parts))
    return False
