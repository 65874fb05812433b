"""The scorer: calibrated scores and embeddings of texts. All uses of the model go through it."""

import functools
import hashlib
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from belowline.model.author_line import author_line
from belowline.model.directory import (
    DEFAULT_MODEL_DIR,
    ModelConfig,
    Thresholds,
    read_config,
    with_second_look,
)
from belowline.model.evidence import Evidence, Strengths, by_words, in_original, stretches
from belowline.model.labels import log_odds
from belowline.model.language import language_of
from belowline.model.lru_cache import Recent
from belowline.model.network import open_network
from belowline.model.normalise import Normalised, normalise
from belowline.model.windows import Windows, windows_of

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ScoreInput:
    """A comment to score, with the article's title and lead, the parent comment's text, and the author's name and
    website, if known.

    Labels depend only on the comment's text, except that author and website affect ``spam``. The article and the
    parent only affect ``Scores.relevance``.
    """

    text: str
    article: str | None = None
    parent: str | None = None
    author: str | None = None
    author_url: str | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """The model's output for one comment.

    Attributes:
        probabilities: Label to calibrated probability; labels are independent and need not sum to 1. ``on_topic``
            is the probability of substance, times ``relevance`` if that is not None.
        evidence: Evidence spans of the harmful labels at or above their hold threshold, strongest first. Labels
            outside of ``evidence`` in ``config.json`` have none.
        language: ISO 639-1, or ``und`` for a text that is too short.
        model: Version of the model.
        relevance: Probability that the comment is about the article or replies to the parent, whichever is larger.
            None if the comment has neither, or if the model has no relevance.
        plain: The comment's text to its normalised form, for rules and near-duplicates to reuse. Empty if the
            reading came from the cache, which keeps no text.
    """

    probabilities: dict[str, float]
    evidence: tuple[Evidence, ...]
    language: str
    model: str
    relevance: float | None = None
    plain: Mapping[str, Normalised] = field(default_factory=dict, repr=False, compare=False)


class _Outputs(NamedTuple):
    """Results of the network for one window of T tokens."""

    logits: Floats  # [labels]
    strengths: Floats  # [T, harmful labels]
    embedding: Floats  # [hidden], unit length


@dataclass(frozen=True, slots=True)
class _Reading:
    """The model's output for a text without context; the cache holds nothing else of the text.

    Attributes:
        probabilities: As in ``Scores``, but ``on_topic`` is the probability of substance.
        evidence: As in ``Scores``.
        language: As in ``Scores``.
        passages: [windows, hidden], the embedding of each window.
        embedding: [hidden], unit length.
    """

    probabilities: dict[str, float]
    evidence: tuple[Evidence, ...]
    language: str
    passages: Floats
    embedding: Floats


class Scorer:
    """A loaded model directory. Thread-safe.

    Each window runs alone on one of ``threads`` threads, without batches: dynamic int8 quantisation takes its scale
    from the whole batch, so other windows would change a comment's score. One window at a time reaches 94 % of the
    rate of a batch (see ``training/LOG.md``) and needs no padding.

    A cache of the last ``cache_size`` windows, keyed by a hash of the text, holds numbers only. A text that another
    call is reading is awaited, not read twice. A call with one text to read runs in the caller's thread, which
    saves the handover.
    """

    def __init__(
        self,
        config: ModelConfig,
        session: Any,
        tokenizer: Any,
        threads: int,
        cache_size: int = 4096,
        second: "Scorer | None" = None,
    ) -> None:
        self.config = config
        self._second = second
        self._session = session
        self._masked = any(given.name == "attention_mask" for given in session.get_inputs())
        self.tokenizer = tokenizer
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="scorer")
        self._readings: Recent[_Reading] = Recent(cache_size, lambda reading: len(reading.passages))
        self._under_way: dict[bytes, Future[_Reading]] = {}
        self._lock = threading.Lock()
        self._scale = np.array([config.calibration[label].scale for label in config.labels], dtype=np.float64)
        self._shift = np.array([config.calibration[label].shift for label in config.labels], dtype=np.float64)

    @classmethod
    def load(
        cls,
        directory: Path = DEFAULT_MODEL_DIR,
        *,
        threads: int | None = None,
        second_look: Path | None = None,
    ) -> Self:
        """The model in ``directory``, on ``threads`` threads (default: all cores); raises ModelError.

        ``second_look`` is the directory of a larger model that reads comments near a threshold again.
        """
        config, threads = read_config(directory), threads or os.cpu_count() or 1
        if second_look is None:
            return cls(config, *open_network(directory), threads)
        other = read_config(second_look)
        both = with_second_look(config, other)
        # Evidence of the second model follows the thresholds of both models together.
        other = other.model_copy(update={"thresholds": both.thresholds})
        second = cls(other, *open_network(second_look), threads)
        return cls(both, *open_network(directory), threads, second=second)

    @property
    def version(self) -> str:
        """Version of the model."""
        return self.config.version

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the model's order."""
        return self.config.labels

    @property
    def thresholds(self) -> dict[str, Thresholds]:
        """Label to the thresholds in ``config.json``."""
        return self.config.thresholds

    def score(self, comments: Sequence[ScoreInput]) -> list[Scores]:
        """Scores of ``comments``, in order. Accepts any text of any length; long texts are read in windows.

        Repeated texts come from the cache. Other comments of the call never change a score.
        """
        contexts = [self._contexts(comment) for comment in comments]
        lines = [self._author_line(comment) for comment in comments]
        texts = [
            *(comment.text for comment in comments),
            *filter(None, lines),
            *(text for context in contexts for text in context),
        ]
        plains: dict[str, Normalised] = {}
        readings = self._read(texts, plains)
        scores = [
            self._scores(
                self._with_author(readings[comment.text], readings[line] if line else None),
                [readings[text] for text in context],
                _entry(plains, comment.text),
            )
            for comment, context, line in zip(comments, contexts, lines, strict=True)
        ]
        return self._looked_at_again(comments, scores)

    def embed(self, texts: Sequence[str]) -> Floats:
        """Embeddings [n, hidden] of ``texts``, in order and of unit length: the product of two is their cosine.

        They compare texts by subject, such as a comment with its article or its near-duplicates: training keeps
        them near those of the base sentence encoder. The embedding of a long text is the mean of its windows,
        weighted by tokens. Readings in the cache are reused.
        """
        if not texts:
            return self.embed([""])[:0]
        readings = self._read(texts)
        return np.stack([readings[text].embedding for text in texts])

    def token_strengths(self, text: str) -> dict[str, Strengths]:
        """Strengths of words from every token head, also those outside of ``config.evidence``.

        Returns harmful label to (start, end) of a word to strength in 0..1. Offsets are code points of ``text``;
        the maximum counts if several tokens come from one span (an emoji).
        """
        plain = normalise(text)
        windows = windows_of(self.tokenizer, plain.text, self.config.window)
        strengths = [self._run(ids).strengths for ids in windows.ids]
        return {
            channel: in_original(self._channel(channel, plain, windows, strengths), plain)
            for channel in self.config.harmful
        }

    def forget(self) -> None:
        """Empty the cache (for benchmarks)."""
        self._readings.forget()

    def _contexts(self, comment: ScoreInput) -> list[str]:
        """The texts to compare the comment with: article and parent."""
        if self.config.relevance is None:
            return []
        return [text for text in (comment.article, comment.parent) if text and text.strip()]

    def _author_line(self, comment: ScoreInput) -> str | None:
        return author_line(comment.author, comment.author_url) if self.config.author else None

    def _with_author(self, reading: _Reading, line: _Reading | None) -> _Reading:
        """``reading`` with the spam probability of text and author line together."""
        weights = self.config.author
        if weights is None or line is None:
            return reading
        own, by = (log_odds(part.probabilities["spam"]) for part in (reading, line))
        spam = float(_sigmoid(weights.text * own + weights.line * by + weights.shift))
        hold = self.thresholds["spam"].hold if "spam" in self.thresholds else None
        held = hold is not None and spam >= hold
        evidence = tuple(span for span in reading.evidence if span.label != "spam" or held)
        return replace(reading, probabilities={**reading.probabilities, "spam": spam}, evidence=evidence)

    def _read(self, texts: Iterable[str], plains: dict[str, Normalised] | None = None) -> dict[str, _Reading]:
        """The readings of ``texts``; ``plains`` receives the normalised texts that this call had to read."""
        keys = {text: text_hash(text) for text in texts}
        with self._lock:
            known = self._readings.recall(keys.values())
            awaited = {key: self._under_way[key] for key in keys.values() if key in self._under_way}
            # Longest first, so that all threads finish at about the same time.
            fresh = sorted((text for text, key in keys.items() if key not in known), key=len, reverse=True)
            own = {text: Future[_Reading]() for text in fresh if keys[text] not in awaited}
            self._under_way |= {keys[text]: reading for text, reading in own.items()}
        try:
            each = map if len(own) == 1 else self._pool.map
            fulfil = functools.partial(self._fulfil, plains={} if plains is None else plains)
            for _ in each(fulfil, own, own.values(), (keys[text] for text in own)):
                pass
        finally:
            with self._lock:
                for text, reading in own.items():
                    del self._under_way[keys[text]]
                    # No effect on a finished reading; after an interruption, it releases the waiting calls.
                    reading.cancel()
        known |= {keys[text]: reading.result() for text, reading in own.items()}
        known |= {key: reading.result() for key, reading in awaited.items()}
        return {text: known[key] for text, key in keys.items()}

    def _fulfil(
        self, text: str, reading: Future[_Reading], key: bytes, plains: dict[str, Normalised]
    ) -> None:
        try:
            plains[text] = plain = normalise(text)
            read = self._read_one(text, plain)
        except Exception as error:
            reading.set_exception(error)
        else:
            self._readings.remember({key: read})
            reading.set_result(read)

    def _read_one(self, text: str, plain: Normalised) -> _Reading:
        windows = windows_of(self.tokenizer, plain.text, self.config.window)
        runs = [self._run(ids) for ids in windows.ids]
        logits = self._aggregate(np.stack([run.logits for run in runs]), windows)
        probabilities = _sigmoid(self._scale * logits + self._shift)
        named = {label: float(p) for label, p in zip(self.labels, probabilities, strict=True)}
        evidence = self._evidence(named, plain, windows, [run.strengths for run in runs])
        passages = np.stack([run.embedding for run in runs])
        return _Reading(named, evidence, language_of(text), passages, _direction(passages, windows))

    def _looked_at_again(self, comments: Sequence[ScoreInput], scores: list[Scores]) -> list[Scores]:
        """``scores`` with the second model's probabilities and evidence where a label lies in its band.

        Relevance and embeddings stay the first model's: those of two models cannot be compared.
        """
        if self._second is None:
            return scores
        again = [at for at, one in enumerate(scores) if self._in_band(one.probabilities)]
        inputs = [replace(comments[at], article=None, parent=None) for at in again]
        for at, second in zip(again, self._second.score(inputs), strict=True):
            relevant = self._relevant(second.probabilities, scores[at].relevance)
            scores[at] = replace(scores[at], probabilities=relevant, evidence=second.evidence)
        return scores

    def _relevant(self, probabilities: Mapping[str, float], relevance: float | None) -> dict[str, float]:
        """``probabilities`` with those of labels that are not harmful times ``relevance``."""
        return {
            label: p if relevance is None or label in self.config.harmful else p * relevance
            for label, p in probabilities.items()
        }

    def _in_band(self, probabilities: Mapping[str, float]) -> bool:
        bands = self.config.second_look.bands if self.config.second_look else {}
        return any(low <= probabilities[label] <= high for label, (low, high) in bands.items())

    def _scores(
        self, reading: _Reading, contexts: Sequence[_Reading], plain: Mapping[str, Normalised]
    ) -> Scores:
        relevance = self._relevance(reading, contexts)
        probabilities = self._relevant(reading.probabilities, relevance)
        return Scores(probabilities, reading.evidence, reading.language, self.version, relevance, plain)

    def _relevance(self, reading: _Reading, contexts: Sequence[_Reading]) -> float | None:
        """Relevance to the nearest passage of all ``contexts``; None without contexts."""
        fitted = self.config.relevance
        if fitted is None or not contexts:
            return None
        cosine = max(float((context.passages @ reading.embedding).max()) for context in contexts)
        return float(_sigmoid(fitted.scale * cosine + fitted.shift))

    def _run(self, ids: Sequence[int]) -> _Outputs:
        tokens = np.array([ids], dtype=np.int64)
        inputs = {"input_ids": tokens}
        if self._masked:  # models released before 0.4.1
            inputs["attention_mask"] = np.ones_like(tokens)
        outputs = self._session.run(["label_logits", "token_evidence", "text_embedding"], inputs)
        return _Outputs(*(output[0] for output in outputs))

    def _aggregate(self, logits: Floats, windows: Windows) -> npt.NDArray[np.float64]:
        """[windows, labels] → [labels], by max or mean as ``config.json`` sets for each label."""
        highest, mean = logits.max(axis=0), _mean(logits, windows)
        how = self.config.window.aggregate
        return np.array(
            [highest[i] if how[label] == "max" else mean[i] for i, label in enumerate(self.labels)]
        )

    def _evidence(
        self,
        probabilities: dict[str, float],
        plain: Normalised,
        windows: Windows,
        strengths: Sequence[Floats],
    ) -> tuple[Evidence, ...]:
        found: list[Evidence] = []
        for label, evidence in self.config.evidence.items():
            hold = self.thresholds[label].hold if label in self.thresholds else None
            if hold is None or probabilities[label] < hold:
                continue
            words = self._channel(evidence.channel, plain, windows, strengths)
            found += stretches(label, words, evidence.floor, plain)
        return tuple(sorted(found, key=lambda evidence: -evidence.strength))

    def _channel(
        self, channel: str, plain: Normalised, windows: Windows, strengths: Sequence[Floats]
    ) -> Strengths:
        """Strengths of the words of the normalised text, from the token head of ``channel``."""
        column = self.config.harmful.index(channel)
        return by_words(windows.strengths([window[:, column] for window in strengths]), plain.text)


def text_hash(text: str) -> bytes:
    """16-byte hash that identifies a text, so that the cache needs no comment text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _entry(plains: Mapping[str, Normalised], text: str) -> dict[str, Normalised]:
    return {text: plains[text]} if text in plains else {}


def _mean(values: Floats, windows: Windows) -> npt.NDArray[np.float64]:
    """[windows, ...] → [...]: the mean, weighted by tokens."""
    if len(values) == 1:
        return np.asarray(values[0], dtype=np.float64)
    return np.asarray(np.average(values, axis=0, weights=[len(ids) for ids in windows.ids]))


def _direction(passages: Floats, windows: Windows) -> Floats:
    """[windows, hidden] → [hidden]: the mean at unit length."""
    mean = _mean(passages, windows)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)


def _sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-logits))
