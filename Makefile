# Everything a developer types. `make` alone lists the targets. The first one that needs it sets the checkout up: Python
# packages into .venv, the MicroPython VM and the board's type stubs into build. Nothing outside the checkout changes.

PYTHON ?= python3
MICROPYTHON ?=
PYTEST_ARGS ?=
JOBS ?= auto

# What the targets for boards take: make flash BOARD=... PORT=... FIRMWARE=micropython.bin NODE=node.toml TOOL=mpremote|ampy
# Not from the environment: PORT and NODE mean other things there.
BOARD :=
PORT :=
FIRMWARE :=
NODE :=
TOOL :=
GRANT :=
REKEY :=
OUT :=

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet --quiet --no-input
PYTEST := $(PY) -m pytest
PLUMVEIL := $(VENV)/bin/plumveil
AT_BOARD := $(if $(BOARD),--board "$(BOARD)")
AT_PORT := $(if $(PORT),--port "$(PORT)")
SAY := @echo "plumveil:"

VM_SOURCE := host_tools/vm/package.json host_tools/vm/package-lock.json host_tools/nodejs.py
PACKAGES := $(VENV)/.packages
STUBS := build/stubs/.installed
VM := build/node_modules/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
# What is compiled once is not compiled again by each of the thousands of processes that tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup flash gps-status gps-on gps-off preview erase monitor shell doctor image virtual-board boards demo test test-fast test-micropython bench lint typecheck format docs check-docs clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

setup: $(PACKAGES) $(STUBS) $(VM) ## prepare .venv and build; every other target does so by itself

flash: $(PACKAGES) ## a bare board becomes a working node: BOARD= PORT= FIRMWARE= NODE= TOOL= (PORT=all: every board attached)
	@$(PLUMVEIL) flash $(AT_BOARD) $(AT_PORT) $(if $(FIRMWARE),--firmware "$(FIRMWARE)") $(if $(NODE),--node "$(NODE)") \
	  $(if $(TOOL),--tool "$(TOOL)") $(if $(REKEY),--rekey)

gps-status: $(PACKAGES) ## whether location is on at the node on the line, and why: PORT=
	@$(PLUMVEIL) gps status $(AT_PORT)

gps-on: $(PACKAGES) ## put a grant in force: GRANT= PORT=
	@$(PLUMVEIL) gps on $(if $(GRANT),--grant "$(GRANT)") $(AT_PORT)

gps-off: $(PACKAGES) ## take consent back; needs nothing: PORT=
	@$(PLUMVEIL) gps off $(AT_PORT)

preview: $(PACKAGES) ## what the node takes now, and what would leave of it: PORT=
	@$(PLUMVEIL) preview $(AT_PORT)

erase: $(PACKAGES) ## erase all of a board's flash, keys included: PORT=
	@$(PLUMVEIL) erase $(AT_PORT)

monitor: $(PACKAGES) ## show what a node says: PORT=
	@$(PLUMVEIL) monitor $(AT_PORT)

shell: $(PACKAGES) ## a prompt on a node, which stops it for as long: PORT=
	@$(PLUMVEIL) shell $(AT_PORT)

doctor: $(PACKAGES) ## look over this machine, and the board if one is there: PORT=
	@$(PLUMVEIL) doctor $(AT_PORT)

boards: $(PACKAGES) ## list the boards
	@$(PLUMVEIL) boards

image: $(PACKAGES) ## one file for a production line: BOARD= NODE= FIRMWARE= OUT=
	@$(PLUMVEIL) image $(AT_BOARD) $(if $(NODE),--node "$(NODE)") $(if $(FIRMWARE),--micropython "$(FIRMWARE)") $(if $(OUT),--out "$(OUT)")

virtual-board: $(PACKAGES) $(VM) ## start a board without hardware, and print its serial port: BOARD=
	@$(PLUMVEIL) board start $(AT_BOARD)

demo: $(PACKAGES) $(VM) ## three virtual nodes for a day each; writes build/demo/report.html and summary.json
	@$(VENV)/bin/plumveil demo --out build/demo

test: setup ## all tests, on CPython and in the MicroPython VM
	@$(PYTEST) -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

test-fast: $(PACKAGES) ## the tests that take seconds, without the VM
	@$(PYTEST) -n $(JOBS) --dist worksteal -m "not slow and not vm and not e2e" $(PYTEST_ARGS)

test-micropython: ## tests/firmware on a unix build: MICROPYTHON=/path/to/micropython
	@test -n "$(MICROPYTHON)" || { echo "plumveil: say which one: make test-micropython MICROPYTHON=/path/to/micropython" >&2; exit 2; }
	@MICROPYPATH=firmware:host_tools/standins:tests/fakes:tests/firmware "$(MICROPYTHON)" -X heapsize=16M tests/fakes/run_firmware_tests.py

bench: $(PACKAGES) $(VM) ## measure the budgets, write build/bench.json; fails when a bar is missed
	@$(PY) -m benchmarks.bench

lint: $(PACKAGES) typecheck ## ruff, formatting, types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

typecheck: $(PACKAGES) $(STUBS) ## mypy: the host strictly, the firmware against the board's stubs
	@$(PY) -m mypy
	@$(PY) -m mypy --config-file firmware/mypy.ini firmware

format: $(PACKAGES) ## rewrite the sources as ruff formats them
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

docs: $(PACKAGES) ## regenerate docs/wire-format.md, docs/policy.md and docs/node-toml.schema.json
	@$(PY) -m host_tools.wiredoc
	@$(PY) -m host_tools.configure.schema
	@$(PY) -m host_tools.policy.document

check-docs: $(PACKAGES) ## fail when a generated document is not what its source says
	@$(PY) -m host_tools.wiredoc --check
	@$(PY) -m host_tools.configure.schema --check
	@$(PY) -m host_tools.policy.document --check

clean: ## remove build and the caches
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	@rm -rf $(VENV) *.egg-info firmware/*.egg-info

$(PY):
	@command -v "$(PYTHON)" >/dev/null || { echo "plumveil: no $(PYTHON) here; Python 3.11 or newer is needed (make PYTHON=/path/to/python3)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "plumveil: $$("$(PYTHON)" --version) is too old; Python 3.11 or newer is needed (make PYTHON=python3.12)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "plumveil: $(PYTHON) comes without venv; on Debian and Ubuntu the package python3-venv has it" >&2; exit 1; }
	$(SAY) "new virtual environment in $(VENV)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(PACKAGES): pyproject.toml requirements/constraints.txt | $(PY)
	$(SAY) "Python packages into $(VENV) (once, about a minute)"
	@$(PIP) install --constraint requirements/constraints.txt --editable '.[dev]'
	@touch $@

$(STUBS): requirements/stubs.txt | $(PY)
	$(SAY) "type stubs of the board's MicroPython into build/stubs"
	@rm -rf build/stubs
	@$(PIP) install --no-deps --target build/stubs --requirement requirements/stubs.txt
	@touch $@

$(VM): $(VM_SOURCE) | $(PACKAGES)
	$(SAY) "MicroPython VM into build/node_modules"
	@$(PY) -m host_tools.nodejs >/dev/null
	@touch $@
