"""Changes to Python source at places that the parser or the tokenizer names; all between them stays, lines too.

Must never look for a place by what the text looks like: a name in a comment or a string is none.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping

from host_tools.errors import PlumveilError

Place = tuple[int, int]  # line from 1, character from 0
Span = tuple[Place, Place]


class Text:
    """One source, parsed. Errors of all: PlumveilError when it is no Python, or has an f-string, which allocates."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines(keepends=True)
        try:
            self.tree = ast.parse(source)
        except SyntaxError as error:
            raise PlumveilError(f"line {error.lineno}: {error.msg}") from None
        if any(isinstance(node, ast.JoinedStr) for node in ast.walk(self.tree)):
            # Whose names some versions of Python's tokenizer show, and some do not.
            raise PlumveilError("f-strings are not for a node: they allocate; use %")

    def start(self, node: ast.expr | ast.stmt | ast.arg | ast.alias) -> Place:
        """Where a node begins."""
        return node.lineno, self._character(node.lineno, node.col_offset)

    def span(self, node: ast.expr | ast.stmt) -> Span:
        """From where a node begins to where it ends."""
        end_line, end_byte = node.end_lineno or node.lineno, node.end_col_offset or 0
        return self.start(node), (end_line, self._character(end_line, end_byte))

    def tokens(self, *kinds: int) -> Iterator[tokenize.TokenInfo]:
        """Its tokens of these kinds."""
        for token in tokenize.generate_tokens(io.StringIO(self.source).readline):
            if token.type in kinds:
                yield token

    def edited(self, edits: Mapping[Span, str]) -> str:
        """The source with other words in these places, which may not overlap."""
        lines = list(self._lines)
        for ((line, begin), (end_line, end)), words in sorted(edits.items(), reverse=True):
            rest = lines[end_line - 1][end:]
            lines[line - 1] = lines[line - 1][:begin] + words + "\n" * (end_line - line) + rest
            lines[line:end_line] = [""] * (end_line - line)
        return "".join(lines)

    def _character(self, line: int, byte: int) -> int:
        text = self._lines[line - 1]
        return byte if text.isascii() else len(text.encode()[:byte].decode())


def identifiers(tree: ast.AST) -> set[str]:
    """Every name in a parsed source: of variables, attributes, arguments, keywords, what is defined and imported."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.ExceptHandler(name=str(name)):
                found.add(name)
            case ast.keyword(arg=str(name)):
                found.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                found.update(names)
            case ast.alias(name=name, asname=asname):
                found.update(name.split("."))
                found.update([asname] if asname else [])
    return found
