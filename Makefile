# The things one can do here. `make demo` and `make test` need nothing but Python ≥ 3.11 with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --root-user-action=ignore -c constraints.txt
PORT ?= 8080

.PHONY: demo test suite check lint types campaigns bench format clean python-there

demo: $(VENV)/.run ## a gateway with embedded data; Ctrl-C stops it
	@exec $(BIN)/calgate demo --port $(PORT)

test: lint ## linters, types, import contracts and the whole suite
	@$(MAKE) --no-print-directory -j 2 NICE=nice types suite

suite: $(VENV)/.test
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist worksteal

check: lint types

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-cache > .import-contracts.log 2>&1 || { cat .import-contracts.log; exit 1; }

types: $(VENV)/.test # one core for half a minute, in which the suite leaves some of its own idle
	@$(NICE) $(BIN)/mypy

campaigns: $(VENV)/.bench ## the long ones: outside judges, real input, storms, kill -9
	@$(BIN)/python -m tests.campaigns

bench: $(VENV)/.bench ## measurements beside the peers, answers checked
	@$(BIN)/python -m bench

format: $(VENV)/.test
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

python-there:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "calgate needs Python 3.11 or later as $(PYTHON): on Debian 12, apt install python3." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "calgate needs Python's venv module: on Debian 12, apt install python3-venv." >&2; exit 1; }

$(VENV)/bin/python: | python-there
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing calgate into $(VENV) …" >&2
	@$(PIP) -e .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing calgate and its test tools into $(VENV) …" >&2
	@$(PIP) -e '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing calgate, its test tools and the peers into $(VENV) …" >&2
	@$(PIP) -e '.[test,bench]'
	@touch $@ $(VENV)/.test $(VENV)/.run
