"""From a run to a model directory: ONNX, int8, calibration, thresholds and the parity gate. It appears complete or
not at all.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
import torch
from datasets import Dataset, DatasetDict
from rich.console import Console
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from belowline.model import HARMFUL, ModelConfig, Policy, ScoreInput, Scorer, Thresholds, decide
from belowline.model.directory import Calibration, EvidenceChannel, Window, read_config
from belowline.model.normalise import normalise
from belowline.model.windows import windows_of
from belowline.training.errors import ParityError, RunError
from belowline.training.export.onnx_export import export_fp32, quantise
from belowline.training.export.smoothing import smoothed
from belowline.training.files import check_replaceable, replace_folder, write_json
from belowline.training.fit.network import CommentModel
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.fit.start import start_config
from belowline.training.fit.weights import load_model
from belowline.training.measure.author import fit_author
from belowline.training.measure.calibrate import (
    OperatingPoint,
    equal_weights,
    operating_points,
    platt,
    thresholds_at,
    two_sided,
)
from belowline.training.measure.evidence_floors import fit_floors
from belowline.training.measure.intervals import Floats
from belowline.training.measure.relevance import NEUTRAL, fit_relevance
from belowline.training.measure.rows import TestRows, predictions, validation_comments
from belowline.training.recipes.recipe import Recipe

_FEWEST_TO_CALIBRATE = 100
"""With fewer rows the calibration and thresholds of the start are more accurate than fitted ones."""
_PARITY_TEXTS = 4000
"""400 texts could not separate 1 % of changed decisions from 0.5 %."""
_TORCH_TEXTS = 400
_SMOOTHING_TEXTS = 200
_EVIDENCE_FLOORS = {"personal_attack": 0.65, "toxicity": 0.65}
"""Channel to the strength from which a token is evidence, 0.5 for others, where validation has too few marks."""
_FEWEST_MARKED = 50
_KIND_OF = {"antisemitism": "hate"}
TOLERANCE_FP32 = 1e-3
"""Largest difference of a probability between torch and ONNX fp32."""
TOLERANCE_INT8 = 0.02
"""Mean difference of probabilities between ONNX fp32 and int8."""
SAME_DECISIONS = 0.99
"""Smallest share of equal decisions between fp32 and int8."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Distance of the exported models from the trained one, on ``texts`` validation comments."""

    texts: int
    fp32_largest: float
    int8_mean: float
    int8_largest: float
    same_decisions: float

    def check(self) -> None:
        """Raise ParityError if a tolerance is exceeded."""
        if self.fp32_largest > TOLERANCE_FP32:
            raise ParityError(
                f"ONNX fp32 differs from torch by up to {self.fp32_largest:.2g}, allowed "
                f"{TOLERANCE_FP32:g}; not exported"
            )
        if self.int8_mean > TOLERANCE_INT8:
            raise ParityError(
                f"the quantised model differs from fp32 by {self.int8_mean:.3f} on average, allowed "
                f"{TOLERANCE_INT8:g}; not exported"
            )
        if self.same_decisions < SAME_DECISIONS:
            raise ParityError(
                f"the quantised model decides like fp32 on only {self.same_decisions:.1%} of comments, needed "
                f"{SAME_DECISIONS:.0%}; not exported"
            )


def export(
    run: Path,
    out: Path,
    console: Console,
    like: Path | None = None,
    version: str = "",
    bits: Literal[4, 8] = 8,
) -> Path:
    """Write the model directory ``out`` from a finished run and return it; the fp32 twin goes to ``RUN/fp32``.

    With ``like``, a released directory of the same weights, calibration, thresholds and the rest are copied
    from there and only ``version`` is new, so that users keep their decisions. ``out`` is replaced only after
    everything succeeded. The weights have ``bits`` bits.

    Raises:
        RunError: The run is not finished, ``like`` has other labels, or ``out`` holds other files than a model.
        ParityError: The export differs too much from the trained model.
        ModelError: ``like`` cannot be read.
    """
    check_replaceable(out, "config.json")
    recipe, data = RunDirectory(run).recipe, RunDirectory(run).data()
    kept = None if like is None else read_config(like).model_copy(update={"version": version})
    if kept is not None and kept.labels != recipe.labels:
        raise RunError(f"{like}: has other labels than {run}; name a release of this run")
    model, tokenizer = load_model(run / "model")
    work = run / "export.part"
    shutil.rmtree(work, ignore_errors=True)
    fp32, int8 = work / "fp32", work / "int8"
    for folder in (fp32, int8):
        folder.mkdir(parents=True)
        tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    console.print("ONNX")
    validation = validation_comments(data["validation"], recipe)
    ids = _token_ids(_spread(validation.texts, _SMOOTHING_TEXTS), tokenizer, recipe.max_tokens)
    export_fp32(smoothed(model, ids), fp32 / "model.onnx")
    quantise(fp32 / "model.onnx", int8 / "model.onnx", bits)
    config, operating = (kept, {}) if kept else _learned(recipe, run, int8, data, validation, console)
    for folder in (fp32, int8):
        (folder / "config.json").write_text(config.model_dump_json(indent=1) + "\n", "utf-8")
    parity = measure_parity(model, fp32, int8, validation)
    write_json(run / "parity.json", asdict(parity) | {"bits": bits})
    parity.check()
    if kept is None:
        thresholds = {f"{label}.{kind}": asdict(found) for (label, kind), found in operating.items() if found}
        write_json(run / "thresholds.json", thresholds)
    replace_folder(fp32, run / "fp32")
    replace_folder(int8, out)
    shutil.rmtree(work)
    return out


def _spread(texts: list[str], count: int) -> list[str]:
    """Return at most ``count`` of ``texts``, spread over the list, which is sorted by corpus."""
    return texts[:: max(1, len(texts) // count)][:count]


def _token_ids(texts: list[str], tokenizer: PreTrainedTokenizerBase, longest: int) -> Iterator[Tensor]:
    """Yield the token ids [1, T] of each text's first window."""
    for text in texts:
        read = tokenizer(normalise(text).text, truncation=True, max_length=longest, return_tensors="pt")
        yield read["input_ids"]


def _learned(
    recipe: Recipe, run: Path, int8: Path, data: DatasetDict, validation: TestRows, console: Console
) -> tuple[ModelConfig, dict[tuple[str, str], OperatingPoint | None]]:
    """Fit calibration, thresholds, evidence, relevance and weights of the author line to the int8 model."""
    config, operating = _configured(recipe, run, int8, validation, console)
    scorer, spam = Scorer.load(int8), config.calibration.get("spam", NEUTRAL)
    channels = evidence_channels(data["train"], config.harmful)
    learned = {
        "author": fit_author(scorer, spam, data["validation"], console),
        "evidence": fit_floors(scorer, data["validation"], channels, console),
        "relevance": fit_relevance(scorer, data["validation"]),
    }
    before = start_config(run)
    if (
        before is not None and before.labels == recipe.labels
    ):  # what nothing in this run could teach anew stays as it was
        learned = {name: found or getattr(before, name) for name, found in learned.items()}
    return config.model_copy(update=learned), operating


def _configured(
    recipe: Recipe, run: Path, int8: Path, validation: TestRows, console: Console
) -> tuple[ModelConfig, dict[tuple[str, str], OperatingPoint | None]]:
    """Fit calibration and thresholds, and return them with the operating points."""
    plain, before = _initial_config(recipe, run), start_config(run)
    (int8 / "config.json").write_text(plain.model_dump_json(), "utf-8")
    raw = predictions(Scorer.load(int8), validation.texts, console, "calibrate")
    calibration, thresholds = dict(plain.calibration), dict(plain.thresholds)
    operating: dict[tuple[str, str], OperatingPoint | None] = {}
    for column, label in enumerate(recipe.labels):
        rows = two_sided(validation.targets[:, column], validation.sources)
        if before is not None and label in before.calibration and rows.sum() < _FEWEST_TO_CALIBRATE:
            console.print(
                f"{label}: {rows.sum()} validation rows are too few; calibration and thresholds of "
                f"{before.version} stay"
            )
            calibration[label], thresholds[label] = before.calibration[label], before.thresholds[label]
            continue
        if not rows.any():  # without rows the label stays uncalibrated and never holds
            console.print(
                f"{label}: no validation corpus has positives and negatives; not calibrated, no thresholds"
            )
            continue
        probability = np.clip(raw[label], 1e-7, 1 - 1e-7)
        logits = np.log(probability / (1 - probability))
        weights = equal_weights(validation.sources[rows])
        calibration[label] = platt(logits[rows], validation.targets[rows, column], weights)
        hold, reject = operating_points(label, recipe, _calibrated(calibration[label], logits), validation)
        if hold is None and label in HARMFUL:
            console.print(
                f"{label}: no threshold has the recipe's precision and share of held harmless comments; never held"
            )
        operating[label, "hold"], operating[label, "reject"] = hold, reject
        thresholds[label] = thresholds_at(hold, reject)
    return plain.model_copy(update={"calibration": calibration, "thresholds": thresholds}), operating


def evidence_channels(train: Dataset, harmful: Sequence[str]) -> dict[str, EvidenceChannel]:
    """Return the evidence channel of each harmful label.

    A label uses its own channel if annotators marked its words in enough texts, else that of the label that it is a
    kind of.
    """
    counts = Counter(label for spans in train["spans"] for label in {span["label"] for span in spans})
    marked = {label for label in harmful if counts[label] >= _FEWEST_MARKED}
    channels = {label: label if label in marked else _KIND_OF.get(label, label) for label in harmful}
    return {
        label: EvidenceChannel(channel=channel, floor=_EVIDENCE_FLOORS.get(channel, 0.5))
        for label, channel in channels.items()
        if channel in marked
    }


def _calibrated(calibration: Calibration, logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(calibration.scale * logits + calibration.shift))))


def _initial_config(recipe: Recipe, run: Path) -> ModelConfig:
    return ModelConfig(
        version=recipe.version,
        labels=recipe.labels,
        harmful=tuple(label for label in recipe.labels if label in HARMFUL),
        calibration={label: Calibration(scale=1.0, shift=0.0) for label in recipe.labels},
        thresholds={label: Thresholds(hold=None, reject=None) for label in recipe.labels},
        window=Window(
            tokens=recipe.max_tokens,
            overlap=recipe.overlap_tokens,
            aggregate={label: "max" if label in HARMFUL else "mean" for label in recipe.labels},
        ),
        languages=("en",),
        relevance=NEUTRAL,
        recipe=recipe.name,
        corpora_fingerprint=RunDirectory(run).info["corpora_fingerprint"]["train"],
    )


def measure_parity(model: CommentModel, fp32: Path, int8: Path, validation: TestRows) -> Parity:
    """Compare ONNX fp32 and int8 on up to 4,000 validation texts, and torch with fp32 on up to 400."""
    texts = _spread(validation.texts, _PARITY_TEXTS)
    scorers = {"fp32": Scorer.load(fp32), "int8": Scorer.load(int8)}
    scored = {name: scorer.score([ScoreInput(text) for text in texts]) for name, scorer in scorers.items()}
    rows = {
        name: np.array([list(score.probabilities.values()) for score in scores])
        for name, scores in scored.items()
    }
    tokenizer, window = scorers["fp32"].tokenizer, scorers["fp32"].config.window
    windows = (windows_of(tokenizer, normalise(text).text, window) for text in _spread(texts, _TORCH_TEXTS))
    torch_gap = _torch_gap(model, fp32 / "model.onnx", chain.from_iterable(each.ids for each in windows))
    policies = {name: Policy.load(None, scorer.thresholds) for name, scorer in scorers.items()}
    actions = [
        np.array([decide(score, policies[name]).action for score in scores])
        for name, scores in scored.items()
    ]
    same = float((actions[0] == actions[1]).mean())
    gap = np.abs(rows["fp32"] - rows["int8"])
    return Parity(len(texts), torch_gap, float(gap.mean()), float(gap.max()), same)


def _torch_gap(model: CommentModel, file: Path, windows: Iterable[list[int]]) -> float:
    """Return the largest difference of an uncalibrated probability between torch and the ONNX file."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    largest = 0.0
    for window in windows:
        ids = torch.tensor([window])
        with torch.inference_mode():
            logits = model(ids, torch.ones_like(ids)).logits
        exported = torch.from_numpy(session.run(["label_logits"], {"input_ids": ids.numpy()})[0])
        largest = max(largest, (logits.sigmoid() - exported.sigmoid()).abs().max().item())
    return largest
