"""Services with the Perspective API as contenders: one request per text, rate limited, with retries."""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import httpx
import numpy as np

from belowline.training.errors import ContenderError
from belowline.training.measure.test_set import Floats

ATTRIBUTES: Mapping[str, str] = {
    "spam": "SPAM",
    "hate": "IDENTITY_ATTACK",
    "personal_attack": "INSULT",
    "threat": "THREAT",
    "profanity": "PROFANITY",
    "toxicity": "TOXICITY",
}
"""Our label to its attribute. Google's SPAM was trained on comments of one newspaper, its IDENTITY_ATTACK covers every
identity. antisemitism and on_topic have no counterpart.
"""
PER_SECOND = 1.0
"""Google's quota unless it was raised."""
_TRIES = 6
_MOST_BYTES = 20480
_UNKNOWN = re.compile(r"Unknown requested attribute: (\w+)")
_REFUSED = frozenset(
    {
        "COMMENT_EMPTY",
        "COMMENT_TOO_LONG",
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        "LANGUAGE_DETECTION_FAILED",
    }
)
"""Error types about the text, not about the request; such a text has no score."""


class PerspectiveClient:
    """A client of ``comments:analyze`` at ``url``, such as ``https://commentanalyzer.googleapis.com/v1alpha1``.

    The API key comes from the environment variable PERSPECTIVE_API_KEY and is sent as a header, so that no log of
    URLs holds it.
    Attributes that the service does not know are left out. Raises ContenderError at once for a service that cannot be
    used.
    """

    def __init__(
        self,
        url: str,
        per_second: float = PER_SECOND,
        wait: float = 1.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = _endpoint(url)
        self._pause, self._wait, self._sleep = 1 / per_second, wait, sleep
        self._next = 0.0
        key = os.environ.get("PERSPECTIVE_API_KEY")
        self._client = httpx.Client(timeout=30, headers={"X-Goog-Api-Key": key} if key else {})
        self.labels: tuple[str, ...] = self._known()

    def predict(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Return label to probabilities [n]; NaN for a text that the service refuses."""
        rows = [self._row(text) for text in texts]
        values = np.array(rows, dtype=np.float64).reshape(len(texts), len(self.labels))
        return dict(zip(self.labels, values.T, strict=True))

    def _known(self) -> tuple[str, ...]:
        """Return the labels whose attributes the service knows, by asking it about a harmless text."""
        labels = dict(ATTRIBUTES)
        while labels:
            answer = self._ask("Thank you for the article.", list(labels.values()))
            unknown = _UNKNOWN.search(_message(answer)) if answer.status_code == 400 else None
            if unknown is None:
                self._scores(answer, list(labels))
                return tuple(labels)
            labels = {label: name for label, name in labels.items() if name != unknown[1]}
        raise ContenderError(f"{self.url}: knows none of {', '.join(ATTRIBUTES.values())}; name another URL")

    def _row(self, text: str) -> list[float]:
        if not text.strip() or len(text.encode("utf-8", "replace")) > _MOST_BYTES:
            return [float("nan")] * len(self.labels)
        return self._scores(self._ask(text, [ATTRIBUTES[label] for label in self.labels]), self.labels)

    def _scores(self, answer: httpx.Response, labels: Sequence[str]) -> list[float]:
        if answer.status_code == 400 and _REFUSED & _error_types(answer):
            return [float("nan")] * len(labels)
        if answer.status_code != 200:
            raise ContenderError(
                f"{self.url}: answered {answer.status_code}{_reason(answer)}; run the command again to resume from cached scores"
            )
        try:
            scores = answer.json()["attributeScores"]
            return [float(scores[ATTRIBUTES[label]]["summaryScore"]["value"]) for label in labels]
        except (KeyError, TypeError, ValueError) as error:
            raise ContenderError(
                f"{self.url}: not a Perspective API response ({type(error).__name__}); name another URL"
            ) from error

    def _ask(self, text: str, attributes: Sequence[str]) -> httpx.Response:
        """Send a request; retry while the service is busy, fails or cannot be reached."""
        body = {
            "comment": {"text": text.encode("utf-8", "replace").decode("utf-8")},
            "requestedAttributes": {name: {} for name in attributes},
            "languages": ["en"],
            "doNotStore": True,
        }
        for attempt in range(_TRIES):
            self._keep_pace()
            last = attempt == _TRIES - 1
            try:
                answer = self._client.post(self.url, json=body)
            except httpx.HTTPError as error:
                if last:
                    raise ContenderError(
                        f"{self.url}: cannot be reached ({type(error).__name__}); run the command again to resume from cached scores"
                    ) from error
                self._sleep(self._wait * 2**attempt)
                continue
            if last or not (answer.status_code == 429 or answer.status_code >= 500):
                break
            self._sleep(_retry_after(answer) or self._wait * 2**attempt)
        return answer

    def _keep_pace(self) -> None:
        now = time.monotonic()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._pause


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.username:
        raise ContenderError(
            f"perspective:{parts.hostname or url}: not a URL like https://host/v1alpha1; the key belongs in PERSPECTIVE_API_KEY"
        )
    path = parts.path.rstrip("/").removesuffix("/comments:analyze") or "/v1alpha1"
    return f"{parts.scheme}://{parts.netloc}{path}/comments:analyze"


def _error(answer: httpx.Response) -> Mapping[str, object]:
    try:
        error = answer.json()["error"]
    except (KeyError, TypeError, ValueError):
        return {}
    return error if isinstance(error, dict) else {}


def _message(answer: httpx.Response) -> str:
    return str(_error(answer).get("message", ""))


def _reason(answer: httpx.Response) -> str:
    """Return the service's status word, never its message, which may quote the text."""
    status = str(_error(answer).get("status", ""))
    return f" {status}" if re.fullmatch(r"[A-Z_]+", status) else ""


def _error_types(answer: httpx.Response) -> set[str]:
    details = _error(answer).get("details")
    entries = details if isinstance(details, list) else []
    return {str(detail.get("errorType")) for detail in entries if isinstance(detail, dict)}


def _retry_after(answer: httpx.Response) -> float:
    """Return the seconds that the service asks for, at most 60; 0 if it does not."""
    stated = answer.headers.get("Retry-After", "")
    return min(60.0, float(stated)) if stated.isdecimal() else 0.0
