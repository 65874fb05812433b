# Every target sets up what it needs in .venv first: `make serve` and `make test` are all the set-up there is.
PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check -q install -c constraints.txt --config-settings editable_mode=strict
# A strict editable install links single files: a new file changes its folder and calls for another install. (Absolute, for there is a target named serve.)
FOLDERS := $(shell find $(CURDIR)/data $(CURDIR)/model $(CURDIR)/training $(CURDIR)/serve -type d -not -name __pycache__)

.PHONY: install serve audit test check wheel bench bench-audit bench-protocols bench-queue
.DEFAULT_GOAL := install

.venv/bin/python:
	$(PYTHON) -m venv --upgrade-deps .venv
.venv/.base: .venv/bin/python pyproject.toml constraints.txt $(FOLDERS)
	$(PIP) -e . && touch $@
.venv/.dev: .venv/.base
	$(PIP) -e ".[train]" --group dev && touch $@

install: .venv/.base  ## what serves, scores and audits
serve: install  ## the service on http://127.0.0.1:8000
	$(BIN)/belowline serve
audit: install  ## the invented sample, audited
	$(BIN)/belowline audit data/sample --out audit-out --force
test: .venv/.dev  ## every test
	$(BIN)/python -m pytest
check: .venv/.dev  ## format, lint, types, help pages
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/python -m pytest tests/test_help.py
wheel: .venv/.dev  ## build, install into a clean environment, score one comment
	PYTHON=$(PYTHON) tests/wheel.sh
bench: .venv/.dev  ## comments a second beside Detoxify's architecture and the Hugging Face pipeline
	$(BIN)/python -m tests.bench_scorer
bench-protocols: .venv/.dev  ## how long each protocol's answer takes with 1 client, with 32, and at half and full load
	$(BIN)/python -m tests.bench_protocols
bench-audit: .venv/.dev  ## an audit beside the Hugging Face pipeline and Detoxify's architecture, from file to file
	$(BIN)/python -m tests.bench_audit
bench-queue: .venv/.dev  ## the queue's first page and next claim from 1,000 to 100,000 comments
	$(BIN)/python -m tests.bench_queue
