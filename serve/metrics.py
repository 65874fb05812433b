"""What Prometheus can see of a service: counts and times, never text or ids.

Workers that share one port keep their numbers in a folder, from which each answers for all of them: prometheus_client's multiprocess mode,
which it enters where this variable is set before it is imported.
"""

import os
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

TOGETHER = "PROMETHEUS_MULTIPROC_DIR"
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one app, in a registry of its own so that tests can build many apps."""

    def __init__(self, queued: Callable[[], float]) -> None:
        registry = self._registry = CollectorRegistry()
        self._queued = queued
        self._serving: tuple[str, str] | None = None
        self._requests = Counter(
            "belowline_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._latency = Histogram(
            "belowline_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self._decisions = Counter(
            "belowline_comments",
            "Comments decided, by action and reason.",
            ["action", "code"],
            registry=registry,
        )
        self._batches = Histogram(
            "belowline_batch_comments",
            "Comments of one call to the model.",
            buckets=_SIZES,
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "belowline_batch_seconds", "Time of one call to the model.", buckets=_SECONDS, registry=registry
        )
        self._model = Gauge(
            "belowline_model_info",
            "Workers that a model serves in.",
            ["version", "digest"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._model_failures = Counter(
            "belowline_model_takeover_failures",
            "Times that the model in force could not take over.",
            registry=registry,
        )
        self._behind = Gauge(
            "belowline_model_behind",
            "1 while another model serves than the one in force.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._policy = Gauge(
            "belowline_active_policy",
            "Number of the policy by which each worker decides, 0 for the file of the settings.",
            registry=registry,
            multiprocess_mode="liveall",
        )
        self._depth = Gauge(
            "belowline_queue_comments",
            "Comments that wait for the model.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._worker = Gauge(
            "belowline_worker_requests",
            "Requests that each worker has answered which is alive.",
            registry=registry,
            multiprocess_mode="liveall",
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts an answered request; ``route`` is the route's pattern, which keeps ids out."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(route).observe(seconds)
        self._worker.inc()
        self._depth.set(self._queued())

    def decision(self, action: str, code: str) -> None:
        """Counts a decided comment."""
        self._decisions.labels(action, code).inc()

    def scored(self, seconds: float) -> None:
        """Counts one call to the model, which is one comment."""
        self._batches.observe(1)
        self._batch_seconds.observe(seconds)
        self._depth.set(self._queued())

    def active(self, version: str, digest: str, policy: int, *, behind: bool) -> None:
        """Notes the active model and policy, and whether a newer model could not take over."""
        serving = (version, digest[:12])
        if self._serving not in (None, serving):  # 0, not gone: what is in the folder cannot be removed
            self._model.labels(*self._serving).set(0)
        self._serving = serving
        self._model.labels(*serving).set(1)
        self._policy.set(policy)
        self._behind.set(behind)

    def model_failed(self) -> None:
        """Counts a model in force that could not take over."""
        self._model_failures.inc()

    def render(self) -> bytes:
        """All metrics in Prometheus' text format, those of all workers where there are several."""
        self._depth.set(self._queued())
        if TOGETHER not in os.environ:
            return generate_latest(self._registry)
        of_all = CollectorRegistry()
        MultiProcessCollector(of_all)  # type: ignore[no-untyped-call]
        return generate_latest(of_all)


def forget_worker(folder: Path, process: int) -> None:
    """Takes what was true of a worker while it lived out of ``folder``; what it counted stays."""
    mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]
