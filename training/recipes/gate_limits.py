"""The section ``[gates]`` of a recipe: limits for a candidate's losses."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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


Share = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(gt=0)]


class Gates(BaseModel):
    """The limits of all gates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slice_metric: Literal["auc", "average_precision", "f1"] = "auc"  # metric that no slice may lose
    max_slice_loss: Share = 0.02  # largest loss of slice_metric, of any label and slice
    max_calibration_error: Share = 0.08  # largest expected calibration error of any label over all rows
    max_calibration_loss: Share = 0.02  # largest rise of the calibration error of any label over all rows
    max_bias_gap: Share = 0.15  # largest AUC loss where a comment names a group (BPSN), of any label
    max_bias_gap_increase: Share = 0.02  # largest rise of that gap
    max_latency_ratio: Ratio = 1.5  # largest median time of one comment relative to the active model
    max_size_ratio: Ratio = 2.0  # largest number of bytes relative to the active model
    min_examples: int = Field(default=100, ge=20)  # rows that a slice needs to block a candidate
    allow_unmeasured: tuple[GateName, ...] = ()  # gates that do not block if they cannot be measured
