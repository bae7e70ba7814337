# Two commands on a fresh machine that has Python 3.11 or later, git and make:
#   make conformance                                          the suite against the reference
#   make conformance IMPLEMENTATION=spec-kitty                against the released spec-kitty
#   make conformance IMPLEMENTATION=spec-kitty:3.2.0a8        against another release of it
#   make test                                                 lint, types, import contracts, tests
# Each makes its own environment in .venv; released versions get one each in .kitty/released.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
IMPLEMENTATION ?= reference served:reference
RELEASED ?= 3.2.7
PYTEST_ARGS ?= -n 2 --dist worksteal

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
READY := .venv/.ready

.PHONY: conformance test lint types contracts benchmark benchmarks-table certificate docs site picture clean

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; say which: make PYTHON=python3.12 ..."; exit 3; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

conformance: $(READY)
	@$(BIN)/kitty-conform run --install $(IMPLEMENTATION)

test: lint types contracts
	@mkdir -p .kitty
	$(BIN)/python -m kitty_reliability.implementations.released $(RELEASED) > .kitty/released.path
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	@mkdir -p .kitty
	$(BIN)/lint-imports --cache-dir .kitty/import-linter

benchmark: $(READY)
	$(BIN)/python -m pytest tests/benchmarks -o addopts= --benchmark-only -p no:randomly -p no:xdist

benchmarks-table: $(READY)
	@mkdir -p .kitty
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,benchmark]'
	-$(BIN)/python -m pytest tests/benchmarks -o addopts= --benchmark-only --benchmark-json=.kitty/benchmarks.json \
		-p no:randomly -p no:xdist
	$(BIN)/python docs/benchmarks.py .kitty/benchmarks.json

certificate: $(READY)
	$(BIN)/python docs/certificate.py

docs: $(READY)
	$(BIN)/python docs/signatures.py
	$(BIN)/python docs/clause_map.py
	$(BIN)/python docs/schemas.py

site: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "site/index.html; with search: $(BIN)/python -m http.server --bind 127.0.0.1 --directory site"

picture: $(READY)
	$(BIN)/python docs/picture.py

clean:
	rm -rf .venv .kitty site
