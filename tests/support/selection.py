"""Markers of tests that need much time or another program, and the count of left-out tests.

Every marker is registered in ``pyproject.toml``. ``make test`` runs the tests without any of them.
"""

import re
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

MARKERS = ("clients", "chaos", "slow", "browser", "postgres")
"""Markers, ordered by the duration of their test files, longest first."""
FOLDERS = {"clients": "clients", "chaos": "chaos"}
"""The marker of every test in a folder of ``tests/``."""
FIXTURES = ("browser", "postgres")
"""Fixtures whose tests get the marker of the same name."""
TRAINING = "trained_run"
"""The fixture that trains a miniature model; its tests are slow."""

TRAINING_PACKAGES = (
    "datasets",
    "matplotlib",
    "PIL",
    "scipy",
    "sklearn",
    "tensorboard",
    "torch",
    "transformers",
)
"""Packages of the extra ``train``; a file of tests that imports an absent one is skipped."""
_NEEDS = "needs {}: pip install -e '.[train]'"
NEEDS_TORCH = _NEEDS.format("torch")

_LEFT_OUT = pytest.StashKey[Counter[str]]()


class Selection:
    """A plugin that marks tests by folder, fixture and database, and reports the marked tests that a run left out."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @pytest.hookimpl(tryfirst=True)  # before pytest reads -m
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Add the markers of a test's folder, fixtures and database, and move the longest files to the front."""
        for item in items:
            folder = item.path.relative_to(self._root).parts[0]
            if folder in FOLDERS:
                item.add_marker(FOLDERS[folder])
            for name in (name for name in FIXTURES if name in getattr(item, "fixturenames", ())):
                item.add_marker(name)
            if TRAINING in getattr(item, "fixturenames", ()):
                item.add_marker("slow")
            if on_postgres(item):
                item.add_marker("postgres")

        ranks: dict[Path, int] = {}
        for item in items:
            ranks[item.path] = min(rank_of(item), ranks.get(item.path, len(MARKERS)))
        items.sort(key=lambda item: ranks[item.path])

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, Any, pytest.CollectReport]:
        """Turn the failed import of an absent package of ``train`` into a skip with a reason."""
        report: pytest.CollectReport = yield
        missing = report.failed and re.search(r"No module named '(\w+)", str(report.longrepr))
        if missing and missing[1] in TRAINING_PACKAGES:
            report.outcome = "skipped"
            report.longrepr = (str(collector.path), 1, f"Skipped: {_NEEDS.format(missing[1])}")
        return report

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count deselected tests by their markers; a test with two markers counts for the first."""
        for item in items:
            if rank_of(item) < len(MARKERS):
                left_out(item.config)[MARKERS[rank_of(item)]] += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send a worker's counts to the reporting process."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["left_out"] = dict(left_out(session.config))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take over the counts of a worker; every worker collects and leaves out the same tests."""
        counts = getattr(node, "workeroutput", {}).get("left_out", {})
        left_out(node.config).update(Counter(counts) - left_out(node.config))  # type: ignore[attr-defined]

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # below every other summary
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> Generator[None]:
        """Print the number of left-out tests and the command that runs them."""
        yield
        counts = left_out(config)
        if counts and config.option.markexpr:
            parts = ", ".join(f"{counts[name]} {name}" for name in MARKERS if counts[name])
            line = f"left out: {counts.total()} tests ({parts}). Run them with: make test-all"
            terminalreporter.write_line(line, yellow=True)


def left_out(config: pytest.Config) -> Counter[str]:
    """Return the run's counts of deselected tests by marker."""
    return config.stash.setdefault(_LEFT_OUT, Counter())


def rank_of(item: pytest.Item) -> int:
    """Return the index of a test's first marker in MARKERS, or their number if it has none."""
    return next((rank for rank, name in enumerate(MARKERS) if item.get_closest_marker(name)), len(MARKERS))


def on_postgres(item: pytest.Item) -> bool:
    """Return True for a test with a fixture whose parameter, a kind of database, is PostgreSQL."""
    call = getattr(item, "callspec", None)
    return call is not None and any(
        value == "postgresql" for value in call.params.values() if isinstance(value, str)
    )
