"""The section ``[gates]`` of a recipe: limits for a candidate's losses."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

GateName = Literal[
    "labels",
    "slice_loss",
    "calibration_error",
    "calibration_loss",
    "bias_gap",
    "bias_gap_increase",
    "parity_loss",
    "latency_ratio",
    "size_ratio",
]
"""In the order of a report."""


class Gates(BaseModel):
    """The limits of all gates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slice_metric: Literal["auc", "average_precision", "f1"] = Field(
        default="auc", description="metric that no slice may lose"
    )
    max_slice_loss: float = Field(
        default=0.02, ge=0, le=1, description="largest loss of slice_metric, of any label and slice"
    )
    max_calibration_error: float = Field(
        default=0.08, ge=0, le=1, description="largest expected calibration error of any label over all rows"
    )
    max_calibration_loss: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="largest rise of the calibration error of any label over all rows",
    )
    max_bias_gap: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="largest AUC loss where a comment names a group (BPSN), of any label",
    )
    max_bias_gap_increase: float = Field(default=0.02, ge=0, le=1, description="largest rise of that gap")
    max_parity_loss: float = Field(
        default=0.02, ge=0, le=1, description="largest mean difference of probabilities between int8 and fp32"
    )
    max_latency_ratio: float = Field(
        default=1.5, gt=0, description="largest median time of one comment relative to the active model"
    )
    max_size_ratio: float = Field(
        default=2.0, gt=0, description="largest number of bytes relative to the active model"
    )
    min_examples: int = Field(default=100, ge=20, description="rows that a slice needs to block a candidate")
    allow_unmeasured: tuple[GateName, ...] = Field(
        default=(), description="gates that do not block if they cannot be measured"
    )
