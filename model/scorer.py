"""The only door to the model: texts in, calibrated scores out."""

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from belowline.model.directory import DEFAULT_MODEL_DIR, ModelConfig, ModelError, Thresholds, read_config
from belowline.model.language import language_of
from belowline.model.normalise import Normalised, normalise
from belowline.model.windows import Windows, windows_of

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ScoreInput:
    """A comment to score, with the article's title and lead and the parent comment's text where they are known.

    Model 0.1.0 reads the text alone; the context is part of the contract so that callers need not change when a model reads it.
    """

    text: str
    article: str | None = None
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of the text that speaks for a harmful label: offsets in code points of the text as given, strength in 0..1."""

    label: str
    start: int
    end: int
    strength: float


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of one comment.

    Attributes:
        probabilities: Label to calibrated probability; labels are independent of each other and need not sum to 1.
        evidence: For the harmful labels at or above their hold threshold, strongest first. Empty for labels that the model was shown
            no marked spans of (``evidence`` in ``config.json``), and where no token is strong enough.
        language: ISO 639-1, or ``und`` where there is too little text to tell.
        model: Version of the model.
    """

    probabilities: dict[str, float]
    evidence: tuple[Evidence, ...]
    language: str
    model: str


class Scorer:
    """One model directory, loaded; safe to share between threads.

    Windows run one by one on ``threads`` threads rather than in padded batches: dynamic int8 quantisation takes its scale from the whole
    batch, so company would change a comment's score. On two cores that costs about 8 % against the best batch size (see
    ``training/LOG.md``), and nothing is spent on padding.
    """

    def __init__(
        self, config: ModelConfig, session: Any, tokenizer: Any, threads: int, cache_size: int = 4096
    ) -> None:
        self.config = config
        self._session = session
        self.tokenizer = tokenizer
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="scorer")
        self._cache: OrderedDict[bytes, Scores] = OrderedDict()
        self._cache_size = cache_size
        self._lock = threading.Lock()
        self._scale = np.array([config.calibration[label].scale for label in config.labels], dtype=np.float64)
        self._shift = np.array([config.calibration[label].shift for label in config.labels], dtype=np.float64)

    @classmethod
    def load(cls, directory: Path = DEFAULT_MODEL_DIR, *, threads: int | None = None) -> Self:
        """The model in ``directory``, run on ``threads`` threads (default: all cores); raises ModelError."""
        import onnxruntime
        from tokenizers import Tokenizer

        config = read_config(directory)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                str(directory / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own error types share no base class below Exception
            raise ModelError(
                f"{directory / 'model.onnx'}: corrupt or not an ONNX model; copy the model directory again"
            ) from error
        try:
            tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(
                f"{directory / 'tokenizer.json'}: corrupt, not a tokenizer; copy the model directory again"
            ) from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(config, session, tokenizer, threads or os.cpu_count() or 1)

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
        """Label to the thresholds that the model was released with."""
        return self.config.thresholds

    def score(self, comments: Sequence[ScoreInput]) -> list[Scores]:
        """Scores of ``comments``, in their order. Any text is accepted, of any length: long ones are read in windows, never cut.

        Repeats are answered from a cache; what else is in the call never changes a score.
        """
        keys = [_key(comment.text) for comment in comments]
        texts = {key: comment.text for key, comment in zip(keys, comments, strict=True)}
        known = self._recall(texts)
        # Longest first, so that the threads finish together.
        fresh = sorted(texts.keys() - known.keys(), key=lambda key: (-len(texts[key]), key))
        scored = dict(zip(fresh, self._pool.map(self._score, (texts[key] for key in fresh)), strict=True))
        self._remember(scored)
        known |= scored
        return [known[key] for key in keys]

    def forget(self) -> None:
        """Empty the cache, so that the next call is scored afresh (benchmarks)."""
        with self._lock:
            self._cache.clear()

    def _recall(self, keys: Iterable[bytes]) -> dict[bytes, Scores]:
        with self._lock:
            found = {key: self._cache[key] for key in keys if key in self._cache}
            for key in found:
                self._cache.move_to_end(key)
        return found

    def _remember(self, fresh: Mapping[bytes, Scores]) -> None:
        with self._lock:
            self._cache.update(fresh)
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)

    def _score(self, text: str) -> Scores:
        plain = normalise(text)
        windows = windows_of(self.tokenizer, plain.text, self.config.window)
        runs = [self._run(ids) for ids in windows.ids]
        logits = self._aggregate(np.stack([logits for logits, _ in runs]), windows)
        probabilities = 1 / (1 + np.exp(-(self._scale * logits + self._shift)))
        named = {label: float(p) for label, p in zip(self.labels, probabilities, strict=True)}
        evidence = self._evidence(named, plain, windows, [strengths for _, strengths in runs])
        return Scores(named, evidence, language_of(text), self.version)

    def _run(self, ids: Sequence[int]) -> tuple[Floats, Floats]:
        """Label logits [labels] and token strengths [T, harmful labels] of one window of T tokens."""
        tokens = np.array([ids], dtype=np.int64)
        outputs = self._session.run(
            ["label_logits", "token_evidence"], {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
        )
        return outputs[0][0], outputs[1][0]

    def _aggregate(self, logits: Floats, windows: Windows) -> npt.NDArray[np.float64]:
        """[windows, labels] → [labels], as ``config.json`` states for each label."""
        sizes = [len(ids) for ids in windows.ids]
        highest, mean = logits.max(axis=0), np.average(logits, axis=0, weights=sizes)
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
        for column, label in enumerate(self.config.harmful):
            hold = self.thresholds[label].hold if label in self.thresholds else None
            if label not in self.config.evidence or hold is None or probabilities[label] < hold:
                continue
            tokens = windows.strengths([window[:, column] for window in strengths])
            found += _stretches(label, tokens, self.config.evidence_floor, plain)
        return tuple(sorted(found, key=lambda evidence: -evidence.strength))


def _key(text: str) -> bytes:
    """What the cache knows a text by: its hash, so that no comment stays in memory after it was answered."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _stretches(
    label: str, tokens: dict[tuple[int, int], float], floor: float, plain: Normalised
) -> list[Evidence]:
    """Neighbouring tokens at or above ``floor`` joined, with offsets in the original text."""
    found: list[Evidence] = []
    last_end = -2
    for (start, end), strength in sorted(tokens.items()):
        if strength < floor:
            continue
        first, last = plain.original_span(start, end)
        # One original stretch (an emoji, a broken-up word) can become several tokens, so originals can touch where tokens do not.
        if found and (start - last_end <= 1 or first < found[-1].end):
            previous = found[-1]
            found[-1] = replace(
                previous, end=max(last, previous.end), strength=max(previous.strength, strength)
            )
        else:
            found.append(Evidence(label, first, last, strength))
        last_end = end
    return found
