"""A model directory: ``model.onnx``, ``tokenizer.json``, ``config.json``, ``README.md``."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from belowline.model.errors import BelowlineError, first_problem

DEFAULT_MODEL_DIR = Path(__file__).resolve().parent / "release"
"""The released model, part of the package."""
SHIPPED = ("release", "small")
"""Names that ``model_directory`` accepts: the released model, and a faster one with half of its layers."""

LARGE = "large"
"""A larger model, in the package ``belowline-large``."""

FILES = ("model.onnx", "tokenizer.json", "config.json")


class ModelError(BelowlineError):
    """A model directory cannot be used; the message gives file, problem and remedy."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Thresholds(_Part):
    """Probabilities from which a label holds or rejects a comment; None if it never does."""

    hold: float | None = Field(default=None, ge=0, le=1)
    reject: float | None = Field(default=None, ge=0, le=1)

    @property
    def lowest(self) -> float | None:
        """The probability from which a label holds or rejects a comment."""
        return min((value for value in (self.hold, self.reject) if value is not None), default=None)


class Calibration(_Part):
    """Platt scaling, fitted on validation: probability = sigmoid(scale * value + shift) of a logit or a cosine."""

    scale: float = Field(gt=0)
    shift: float


class AuthorWeights(_Part):
    """Logistic regression, fitted on validation, of the spam logits of a comment's text and of its author line.

    spam = sigmoid(text * logit of the text + line * logit of the author line + shift), of calibrated probabilities.
    """

    text: float = Field(ge=0)
    line: float = Field(ge=0)
    shift: float


class SecondLook(_Part):
    """Comments that a second, larger model reads again, fitted on validation.

    A comment is read again if the first model's probability of a label lies in the label's band, ends included. Then
    the second model's probabilities and evidence count. ``thresholds`` are those of both models together.
    """

    version: str = Field(description="version of the second model for which bands and thresholds are fitted")
    bands: dict[str, tuple[float, float]]
    thresholds: dict[str, Thresholds]


class Window(_Part):
    """Overlapping windows for texts longer than the model's input; no part of a text is dropped.

    ``aggregate`` names for each label how the windows' logits become one: ``max`` (one abusive passage is enough)
    or ``mean``, weighted by tokens (substance is a property of the whole text).
    """

    tokens: int = Field(ge=8, le=512)
    overlap: int = Field(ge=0)
    aggregate: dict[str, Literal["max", "mean"]]


class EvidenceChannel(_Part):
    """Source of a label's evidence.

    ``channel`` is the harmful label whose token head gives the evidence: the label itself or a wider one. A token
    counts from strength ``floor``.
    """

    channel: str
    floor: float = Field(ge=0, le=1)


class ModelConfig(_Part):
    """``config.json``: labels, calibration, thresholds and windows of a model."""

    version: str
    labels: tuple[str, ...] = Field(min_length=1)
    harmful: tuple[str, ...]
    calibration: dict[str, Calibration]
    thresholds: dict[str, Thresholds]
    window: Window
    languages: tuple[str, ...] = Field(
        min_length=1, description="ISO 639-1 codes of the languages in the training data"
    )
    evidence: dict[str, EvidenceChannel] = Field(
        default={}, description="harmful label to the source of its evidence; other labels have no evidence"
    )
    relevance: Calibration | None = Field(
        default=None,
        description="of the cosine between a comment and its article or parent; None: no relevance",
    )
    author: AuthorWeights | None = Field(
        default=None,
        description="weights of the author line for spam; None: author and website are not read",
    )
    second_look: SecondLook | None = Field(
        default=None, description="bands of probability that a second model reads again; None: not fitted"
    )
    recipe: str = ""
    corpora_fingerprint: str = ""


def model_directory(given: Path) -> Path:
    """``given``, or the directory of the packaged model with that name, as in ``--model small``.

    An existing directory with that name takes precedence. Raises ModelError for ``large`` if it is not installed.
    """
    if given.exists():
        return given
    if str(given) == LARGE:
        return _large()
    return DEFAULT_MODEL_DIR.with_name(str(given)) if str(given) in SHIPPED else given


def _large() -> Path:
    package = find_spec("belowline_large")
    if package is None or not package.submodule_search_locations:
        raise ModelError(
            f"{LARGE}: the package belowline-large is not installed, and it is not released yet; "
            "train the recipe large, export it, and name its directory"
        )
    return Path(package.submodule_search_locations[0]) / LARGE


def read_config(directory: Path) -> ModelConfig:
    """The configuration of a model directory; raises ModelError for a missing or corrupt file."""
    for name in FILES:
        if not (directory / name).is_file():
            raise ModelError(
                f"{directory / name}: missing; a model directory needs {', '.join(FILES)} (see "
                "belowline-train export); "
                f"{' and '.join(SHIPPED)} come with the package"
            )
    file = directory / "config.json"
    try:
        return _complete(file, ModelConfig.model_validate(json.loads(file.read_text("utf-8"))))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{file}: corrupt, not JSON ({error}); copy the model directory again") from error
    except ValidationError as error:
        problem = first_problem(error)
        raise ModelError(
            f"{file}: field {problem.field}: {problem.message}; export the model again"
        ) from error


def _complete(file: Path, config: ModelConfig) -> ModelConfig:
    """``config`` after a check of its references: numbers for each label, evidence from known labels.

    The check runs when a model is loaded, so that the first score cannot fail. Raises ModelError."""
    for field, stated, needed in (
        ("calibration", config.calibration, config.labels),
        ("window.aggregate", config.window.aggregate, config.labels),
        ("labels", config.labels, config.harmful),
        ("labels", config.labels, ("spam",) if config.author else ()),
        ("labels", config.labels, config.second_look.bands if config.second_look else ()),
    ):
        for label in needed:
            if label not in stated:
                raise ModelError(f"{file}: field {field}: {label} is missing; export the model again")
    for label, evidence in config.evidence.items():
        for field, named in ((f"evidence.{label}", label), (f"evidence.{label}.channel", evidence.channel)):
            if named not in config.harmful:
                able = ", ".join(config.harmful)
                raise ModelError(
                    f"{file}: field {field}: {named} is not a harmful label; use one of {able}, or "
                    "export the model again"
                )
    return config


def with_second_look(first: ModelConfig, second: ModelConfig) -> ModelConfig:
    """Return the configuration of both models together; raises ModelError if the first is not fitted for the second."""
    fitted = first.second_look
    if fitted is None or fitted.version != second.version:
        known = f"only {fitted.version}" if fitted else "no model"
        raise ModelError(
            f"model {first.version} has a second look fitted for {known}, not {second.version}; choose another "
            "second model, or run belowline-train second-look"
        )
    if set(first.labels) != set(second.labels):
        raise ModelError(
            f"models {first.version} and {second.version} have different labels; choose another second model"
        )
    both = {"version": f"{first.version}+{second.version}", "thresholds": fitted.thresholds}
    return first.model_copy(update=both)
