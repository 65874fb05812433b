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
        self._model = Gauge(
            "belowline_model_info", "The model that serves.", ["version", "digest"], registry=registry
        )
        self._model_failures = Counter(
            "belowline_model_takeover_failures",
            "Times that the model in force could not take over.",
            registry=registry,
        )
        self._behind = Gauge(
            "belowline_model_behind", "1 while another model serves than the one in force.", registry=registry
        )
        self._shadow = Counter(
            "belowline_shadow_comments",
            "Comments that a candidate scored, by what the model and what it would do.",
            ["action", "candidate_action"],
            registry=registry,
        )
        self._shadow_dropped = Counter(
            "belowline_shadow_dropped", "Comments that the candidate had no time for.", registry=registry
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

    def serves(self, version: str, digest: str) -> None:
        """Notes which model serves, which is the one in force."""
        self._model.clear()
        self._model.labels(version, digest[:12]).set(1)
        self._behind.set(0)

    def model_failed(self) -> None:
        """Counts a model in force that could not take over."""
        self._model_failures.inc()
        self._behind.set(1)

    def shadow(self, action: str, candidate_action: str) -> None:
        """Counts a comment that a candidate scored."""
        self._shadow.labels(action, candidate_action).inc()

    def shadow_dropped(self) -> None:
        """Counts a comment that the candidate had no time for."""
        self._shadow_dropped.inc()

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
