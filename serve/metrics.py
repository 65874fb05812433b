"""Metrics for Prometheus: counts and times, never text or ids.

Workers that share a port write their metrics to a folder, and each of them answers for all: the multiprocess mode of
prometheus_client, which is on if ``PROMETHEUS_MULTIPROC_DIR`` is set before the import.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

TOGETHER = "PROMETHEUS_MULTIPROC_DIR"
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one app, in a separate registry, so that tests can build many apps."""

    def __init__(self, queued: Callable[[], float]) -> None:
        registry = self._registry = CollectorRegistry()
        counter = functools.partial(Counter, registry=registry)
        histogram = functools.partial(Histogram, registry=registry)
        gauge = functools.partial(Gauge, registry=registry)
        self._queued = queued
        self._serving: tuple[str, str] | None = None
        self._requests = counter("belowline_requests", "Requests answered.", ["method", "route", "status"])
        self._latency = histogram("belowline_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS)
        self.decisions = counter(
            "belowline_comments", "Comments decided, by action and reason.", ["action", "code"]
        )
        self._calls = histogram(
            "belowline_batch_comments", "Comments of one call to the model.", buckets=_SIZES
        )
        self._call_seconds = histogram(
            "belowline_batch_seconds", "Time of one call to the model.", buckets=_SECONDS
        )
        self._model = gauge(
            "belowline_model_info",
            "Workers with this active model.",
            ["version", "digest"],
            multiprocess_mode="livesum",
        )
        self.model_failures = counter(
            "belowline_model_takeover_failures", "Failures to take over the active model."
        )
        self._behind = gauge(
            "belowline_model_behind",
            "1 while a worker uses an earlier model than the active one.",
            multiprocess_mode="livemax",
        )
        self._policy = gauge(
            "belowline_active_policy",
            "Number of each worker's policy, 0 for the file of the settings.",
            multiprocess_mode="liveall",
        )
        self._depth = gauge(
            "belowline_queue_comments", "Comments that wait for the model.", multiprocess_mode="livesum"
        )
        self._worker = gauge(
            "belowline_worker_requests",
            "Requests answered by each running worker.",
            multiprocess_mode="liveall",
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts an answered request; ``route`` is the route's pattern, which contains no ids."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(route).observe(seconds)
        self._worker.inc()
        self._depth.set(self._queued())

    def scored(self, seconds: float) -> None:
        """Counts one call to the model, which is one comment."""
        self._calls.observe(1)
        self._call_seconds.observe(seconds)
        self._depth.set(self._queued())

    def active(self, version: str, digest: str, policy: int, *, behind: bool) -> None:
        """Sets the active model and policy; ``behind`` is true if a newer model cannot be used."""
        serving = (version, digest[:12])
        if self._serving not in (None, serving):  # 0, because the folder's entry cannot be removed
            self._model.labels(*self._serving).set(0)
        self._serving = serving
        self._model.labels(*serving).set(1)
        self._policy.set(policy)
        self._behind.set(behind)

    def render(self) -> bytes:
        """Returns the metrics of all workers in Prometheus' text format."""
        self._depth.set(self._queued())
        if TOGETHER not in os.environ:
            return generate_latest(self._registry)
        of_all = CollectorRegistry()
        MultiProcessCollector(of_all)  # type: ignore[no-untyped-call]
        return generate_latest(of_all)


def forget_worker(folder: Path, process: int) -> None:
    """Removes the gauges of a worker that ended from ``folder``; its counters stay."""
    mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]
