"""What Prometheus can see of a service: counts and times, never text or ids."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one app, in a registry of its own so that tests can build many apps."""

    def __init__(self, queued: Callable[[], float]) -> None:
        registry = self._registry = CollectorRegistry()
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
        depth = Gauge("belowline_queue_comments", "Comments that wait for the model.", registry=registry)
        depth.set_function(queued)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts an answered request; ``route`` is the route's pattern, which keeps ids out."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def decision(self, action: str, code: str) -> None:
        """Counts a decided comment."""
        self._decisions.labels(action, code).inc()

    def batch(self, comments: int, seconds: float) -> None:
        """Counts one call to the model."""
        self._batches.observe(comments)
        self._batch_seconds.observe(seconds)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
