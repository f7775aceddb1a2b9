"""Dependencies: the imported is declared, the declared is pinned and explained, no pinned file carries an address."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.contract.sources import ROOT, imported_names, parse, project_files, python_files

CONSTRAINTS = ROOT / "requirements" / "constraints.txt"
STUBS = ROOT / "requirements" / "stubs.txt"
VM_MANIFEST = ROOT / "host_tools" / "vm" / "package.json"
VM_LOCK = ROOT / "host_tools" / "vm" / "package-lock.json"
DOCUMENT = ROOT / "docs" / "dependencies.md"

PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)==(\w[\w.!+-]*)")
ADDRESS = re.compile(r"\w+://|--hash|--index-url|--find-links|git\+|\bfile:|\"resolved\"")
USED_AS_PROGRAMS = {
    "esptool",
    "mypy",
    "pre-commit",
    "pytest-xdist",
    "ruff",
}  # by the Makefile and the hooks, never imported
# What stands under host_tools/standins, node_code and tests/firmware runs in MicroPython and imports its modules.
FOR_MICROPYTHON = (
    ROOT / "host_tools" / "standins",
    ROOT / "host_tools" / "node_code",
    ROOT / "tests" / "firmware",
    ROOT / "tests" / "fakes",
)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(path: Path) -> dict[str, str]:
    """{package: version} of a requirements file. Every line pins exactly, or the file is refused."""
    versions = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            match = PINNED.fullmatch(line)
            assert match, f"{path.name}: not an exact version: {line}"
            versions[canonical(match[1])] = match[2]
    return versions


def project() -> dict[str, list[str]]:
    """Names that pyproject.toml asks for: at run time, for development, to build (with version)."""
    text = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        "run": [canonical(name) for name in text["project"]["dependencies"]],
        "dev": [canonical(name) for name in text["project"]["optional-dependencies"]["dev"]],
        "build": text["build-system"]["requires"],
    }


def declared() -> dict[str, str]:
    """{package: version} of everything that Plumveil names itself, wherever it names it."""
    constraints = pinned(CONSTRAINTS)
    names = project()
    found = {name: constraints[name] for name in names["run"] + names["dev"]}
    found |= pinned(STUBS)
    found |= dict(requirement.split("==") for requirement in names["build"])
    return found | json.loads(VM_MANIFEST.read_text(encoding="utf-8"))["dependencies"]


def documented() -> dict[str, str]:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith("| package ")
    ]
    for row in rows:
        assert [bool(cell) for cell in row] == [True] * 5, f"a cell is empty: {row}"
    return {row[0]: row[1] for row in rows}


def imported_packages(*folders: Path) -> set[str]:
    """Third-party packages imported by host code below the folders."""
    owners = packages_distributions()
    files = [
        path for path in python_files(*folders) if not any(path.is_relative_to(folder) for folder in FOR_MICROPYTHON)
    ]
    own = {"plumveil", "host_tools", "tests", "benchmarks", "conftest", *local_modules()}
    names = {name.partition(".")[0] for path in files for name, _ in imported_names(parse(path))}
    outside = names - own - set(sys.stdlib_module_names) - {""}
    known = set(project()["run"] + project()["dev"])
    found = set()
    for name in outside:
        packages = {canonical(package) for package in owners.get(name, [name])}
        found |= packages & known or packages
    return found


def local_modules() -> set[str]:
    """Modules imported by bare name: of the folders conftest.py puts on sys.path, and what the VM itself provides."""
    return {path.stem for path in python_files(*FOR_MICROPYTHON, ROOT / "benchmarks")} | {"umqtt", "_vm"}


def test_the_document_lists_exactly_what_is_declared() -> None:
    assert documented() == declared()


def test_host_tools_import_only_run_time_packages() -> None:
    assert imported_packages(ROOT / "host_tools") <= set(project()["run"])


def test_tests_and_benchmarks_import_only_declared_packages() -> None:
    assert imported_packages(ROOT / "tests", ROOT / "benchmarks") <= set(project()["run"] + project()["dev"])


def test_nothing_is_declared_in_vain() -> None:
    imported = imported_packages(ROOT / "host_tools", ROOT / "tests", ROOT / "benchmarks")
    assert set(project()["run"] + project()["dev"]) - USED_AS_PROGRAMS - imported == set()


def test_the_vm_lock_agrees_with_its_manifest() -> None:
    wanted = json.loads(VM_MANIFEST.read_text(encoding="utf-8"))["dependencies"]
    locked = json.loads(VM_LOCK.read_text(encoding="utf-8"))["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all("integrity" in entry for place, entry in locked.items() if place)


def test_pinned_files_carry_no_address() -> None:
    files = [path for path in project_files() if path.parent == CONSTRAINTS.parent or "lock" in path.name]
    assert {CONSTRAINTS, STUBS, VM_LOCK} <= set(files)
    for path in files:
        assert ADDRESS.search(path.read_text(encoding="utf-8")) is None, path.name


def test_addresses_are_recognised() -> None:
    for line in ('"resolved": "https://x/y.tgz"', "a @ git+ssh://x", "a==1 --hash=sha256:00", "--index-url x"):
        assert ADDRESS.search(line), line
    assert PINNED.fullmatch("a>=1") is None
