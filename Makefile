# make quickstart   a whole study on real digits: 6 minutes on two cores at first, then half of that
# make test         tests, linter, type checker and import contracts: all there is
# make check        the same without the tests that take a Ray or train for seconds: for every day
# Each sets up .venv on a fresh machine, from the pinned constraints, once.
# PYTHON=python3.12 make test   chooses the interpreter (3.11 or newer)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# The study is called quickstart; a later one has the time behind it.
STORAGE := $(or $(STUDY_STORAGE),studies)
TAKEN := $(or $(findstring ://,$(STORAGE)),$(wildcard $(STORAGE)/quickstart))
NAME ?= quickstart$(if $(TAKEN),-$(shell date +%Y%m%d-%H%M%S))

.PHONY: quickstart test check lint setup setup-test clean

quickstart: $(VENV)/.ready
	$(BIN)/study run search_spaces/quickstart.yaml --name $(NAME)

PYTEST := $(BIN)/python -m pytest --numprocesses 2 --no-loadscope-reorder

test: lint
	$(PYTEST)

check: lint
	$(PYTEST) -m "not ray and not slow"

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(VENV)/.ready
setup-test: $(VENV)/.ready-test

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fidtune needs Python 3.11 or newer; name one with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: pyproject.toml constraints.txt | $(BIN)/python
	@echo "setting up $(VENV): a few minutes, once"
	$(PIP) --editable .
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	@echo "adding what the tests need"
	$(PIP) --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
