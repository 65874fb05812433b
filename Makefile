# Every target sets up what it needs in .venv first: `make serve` and `make test` are all the set-up there is.
# The first Python that is new enough; PYTHON=/path/to/python names another one.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3 python,$(shell \
  $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
BIN := .venv/bin
PIP := PYTHONWARNINGS=ignore $(BIN)/pip --disable-pip-version-check -q install -c constraints.txt --config-settings editable_mode=strict
# A strict editable install links single files: a new file changes its folder and calls for another install.
# The paths are absolute because there is a target named serve.
FOLDERS := $(shell find $(CURDIR)/data $(CURDIR)/model $(CURDIR)/training $(CURDIR)/serve -type d -not -name __pycache__)

# One process a core. A file stays in one process: its tests share services, and some follow on each other. tests/support/selection.py
# puts the files that take longest first, so that no process waits long for the other at the end. A miniature network is faster on
# one thread than on two that wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations=20 --durations-min=2
MARKED := slow or browser or postgres or clients or chaos

.PHONY: install serve demo audit test test-rest test-all check audit-dependencies wheel bench soak
.DEFAULT_GOAL := install

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "belowline needs Python 3.11 or newer; install it, or give make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv --upgrade-deps .venv
.venv/.base: .venv/bin/python pyproject.toml constraints.txt $(FOLDERS)
	$(PIP) -e . && touch $@
.venv/.dev: .venv/.base
	$(PIP) -e ".[train]" --group dev && touch $@

install: .venv/.base  ## what serves, scores and audits
serve: install  ## the service on http://127.0.0.1:8000
	$(BIN)/belowline serve
demo: install  ## the console on an invented site: a week of comments, campaign, appeals and decisions, in a temporary store
	$(BIN)/belowline demo
audit: install  ## the invented sample, audited
	$(BIN)/belowline audit data/sample --out audit-out --force
test: .venv/.dev  ## the tests that need no other program, in minutes; at the end it says what it left out
	$(PYTEST) -m "not ($(MARKED))"
test-rest: .venv/.dev  ## the tests that `make test` leaves out
	$(PYTEST) -m "$(MARKED)"
test-all: .venv/.dev  ## every test
	$(PYTEST)
check: .venv/.dev  ## format, lint, types, help pages, words
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/python -m pytest tests/test_help.py tests/test_style.py
audit-dependencies: .venv/.dev  ## known vulnerabilities of every pin; says NOT AUDITED where no service can be asked
	$(BIN)/python -m tests.release.audit_dependencies
wheel: .venv/.dev  ## sdist, wheel, plugin for WordPress, bill of materials, checksums; installed into a clean environment, one comment scored
	PYTHON=$(PYTHON) tests/release/wheel.sh
bench: .venv/.dev  ## all benchmarks: bench-out/bench.json and bench-out/bench.html; PARTS=limit,peers for some
	$(BIN)/python -m tests.bench $(if $(PARTS),--parts $(PARTS))
soak: .venv/.dev  ## mixed traffic for five minutes: memory, files and threads of the service
	$(BIN)/python -m tests.bench.load --soak 5 --rate 20
