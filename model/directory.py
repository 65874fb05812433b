"""A model directory: ``model.onnx``, ``tokenizer.json``, ``config.json``, ``README.md``."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

DEFAULT_MODEL_DIR = Path(__file__).resolve().parent / "release"
"""The released model, part of the package."""
SHIPPED = ("release", "small")
"""What ``model_directory`` knows by name: the released model, and one with half its layers for those whom speed matters more."""

FILES = ("model.onnx", "tokenizer.json", "config.json")


class ModelError(Exception):
    """A model directory cannot be used; the message says which file, what is wrong and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Thresholds(_Part):
    """Probabilities from which a label holds or rejects a comment; None where the label does not."""

    hold: float | None = Field(default=None, ge=0, le=1)
    reject: float | None = Field(default=None, ge=0, le=1)


class Calibration(_Part):
    """Probability = sigmoid(scale * value + shift), fitted on validation (Platt scaling); the value is a logit or a cosine."""

    scale: float = Field(gt=0)
    shift: float


class Window(_Part):
    """How a text longer than the model's input is read: in windows that overlap, nothing is cut.

    ``aggregate`` says per label how windows become one logit: ``max`` (one abusive passage is enough) or ``mean`` (substance
    is a property of the whole), each window counted by its tokens.
    """

    tokens: int = Field(ge=8, le=512)
    overlap: int = Field(ge=0)
    aggregate: dict[str, Literal["max", "mean"]]


class EvidenceChannel(_Part):
    """Where a label's evidence is read: ``channel`` is the harmful label whose token head speaks for it, its own or that of a wider
    label; a token counts from strength ``floor`` on."""

    channel: str
    floor: float = Field(ge=0, le=1)


class ModelConfig(_Part):
    """``config.json``: everything about labels and numbers that the code must not know."""

    version: str
    labels: tuple[str, ...] = Field(min_length=1)
    harmful: tuple[str, ...]
    calibration: dict[str, Calibration]
    thresholds: dict[str, Thresholds]
    window: Window
    languages: tuple[str, ...] = Field(min_length=1, description="ISO 639-1, that the model was trained on")
    evidence: dict[str, EvidenceChannel] = Field(
        default={}, description="harmful label to how its evidence is read; a label not named has none"
    )
    relevance: Calibration | None = Field(
        default=None,
        description="of the cosine between a comment and what it stands under; without it there is none",
    )
    recipe: str = ""
    corpora_fingerprint: str = ""


def model_directory(given: Path) -> Path:
    """The directory that ``given`` names: itself, or the model of that name that comes with the package, as in ``--model small``.

    A directory of that name goes before.
    """
    by_name = str(given) in SHIPPED and not given.exists()
    return DEFAULT_MODEL_DIR.with_name(str(given)) if by_name else given


def read_config(directory: Path) -> ModelConfig:
    """The configuration of a model directory; raises ModelError for a missing or corrupt file."""
    for name in FILES:
        if not (directory / name).is_file():
            raise ModelError(
                f"{directory / name}: missing; a model directory needs {', '.join(FILES)} (see belowline-train export); "
                f"{' and '.join(SHIPPED)} come with the package"
            )
    file = directory / "config.json"
    try:
        return _complete(file, ModelConfig.model_validate(json.loads(file.read_text("utf-8"))))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{file}: corrupt, not JSON ({error}); copy the model directory again") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "(all)"
        raise ModelError(f"{file}: field {field}: {first['msg']}; export the model again") from error


def _complete(file: Path, config: ModelConfig) -> ModelConfig:
    """``config`` with numbers for each of its labels and evidence from labels that it has; a fault is said when a model is loaded, not
    when it first scores."""
    for field, stated, needed in (
        ("calibration", config.calibration, config.labels),
        ("window.aggregate", config.window.aggregate, config.labels),
        ("labels", config.labels, config.harmful),
    ):
        for label in needed:
            if label not in stated:
                raise ModelError(f"{file}: field {field}: {label} is missing; export the model again")
    for label, evidence in config.evidence.items():
        for field, named in ((f"evidence.{label}", label), (f"evidence.{label}.channel", evidence.channel)):
            if named not in config.harmful:
                able = ", ".join(config.harmful)
                raise ModelError(
                    f"{file}: field {field}: {named} is not a harmful label; name one of {able}, or export the model again"
                )
    return config
