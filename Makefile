# Every target sets up what it needs in .venv first; `make serve` and `make test` are all the set-up there is.
PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check -q install -c constraints.txt

.PHONY: serve test check audit install wheel
.DEFAULT_GOAL := install

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.base: .venv/bin/python pyproject.toml constraints.txt $(wildcard data/*.py model/*.py training/*.py serve/*.py)
	$(PIP) --config-settings editable_mode=strict -e . && touch $@

.venv/.dev: .venv/.base
	$(PIP) torch && $(PIP) --group dev "belowline[train]" && touch $@

install: .venv/.base  ## the environment that serves, scores and audits

serve: install  ## the service on http://127.0.0.1:8000
	$(BIN)/belowline serve

audit: install  ## audits the invented sample
	$(BIN)/belowline audit data/sample --out audit-out

test: .venv/.dev  ## every test
	$(BIN)/python -m pytest

check: .venv/.dev  ## format, lint, types, help pages
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy
	$(BIN)/python -m pytest tests/test_help.py

wheel: .venv/.dev  ## build, install into a clean environment, score one comment
	./tests/wheel.sh
