"""node.toml's JSON Schema, for editors; docs/node-toml.schema.json is this module's output and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from host_tools import generated
from host_tools.configure.nodetoml import NodeToml

PATH = Path(__file__).resolve().parents[2] / "docs" / "node-toml.schema.json"
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def text() -> str:
    """The schema as it stands in the file."""
    schema = NodeToml.model_json_schema()
    head = {"$schema": DRAFT, "title": "Plumveil node.toml"}
    return json.dumps({**head, **{key: value for key, value in schema.items() if key not in head}}, indent=1) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the document, or with --check compares; returns the exit code."""
    return generated.run(arguments, "host_tools.configure.schema", PATH, text, "node.toml's models say")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
