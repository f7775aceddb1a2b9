"""node.toml's JSON Schema, for editors; docs/node-toml.schema.json is this module's output and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from host_tools.configure.nodetoml import NodeToml

PATH = Path(__file__).resolve().parents[2] / "docs" / "node-toml.schema.json"
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def text() -> str:
    """The schema as it stands in the file."""
    schema = NodeToml.model_json_schema()
    head = {"$schema": DRAFT, "title": "Plumveil node.toml"}
    return json.dumps({**head, **{key: value for key, value in schema.items() if key not in head}}, indent=1) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the file, or with --check compares; returns the exit code."""
    if arguments == ["--check"]:
        if PATH.is_file() and PATH.read_text("utf-8") == text():
            return 0
        print("docs/node-toml.schema.json is not what node.toml's models say: run `make docs`", file=sys.stderr)
        return 1
    if arguments:
        print("usage: python -m host_tools.configure.schema [--check]", file=sys.stderr)
        return 2
    PATH.write_text(text(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
