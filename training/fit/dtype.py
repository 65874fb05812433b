"""The number format of matrix products, bf16 or fp32."""

import timeit

import torch

from belowline.training.fit.run_directory import RunDirectory
from belowline.training.recipes.recipe import Recipe


def decide_precision(run: RunDirectory, recipe: Recipe) -> str:
    """Return ``bf16`` or ``fp32``, decided once per run and recorded in ``run.json``."""
    # A resumed run, or another process of it, may be on a machine that is faster in the other format.
    if "precision" not in run.info:
        run.record(precision="bf16" if uses_bf16(recipe) else "fp32")
    return str(run.info["precision"])


def uses_bf16(recipe: Recipe) -> bool:
    """Return True for bf16, and for ``auto`` if bf16 is faster for a product of the encoder's size."""
    if recipe.fit.precision != "auto":
        return recipe.fit.precision == "bf16"
    # Measured, because the same processor had 147 GFLOP/s in bf16 and 251 in fp32 on one day, 875 and 200 on another
    # host (training/LOG.md).
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return _product_seconds(torch.bfloat16, device) < 0.8 * _product_seconds(torch.float32, device)


def _product_seconds(dtype: torch.dtype, device: torch.device) -> float:
    """Return the fastest of ten products [2048, 384] @ [384, 1536]; the first ones also choose and load kernels."""
    left = torch.ones(2048, 384, dtype=dtype, device=device)
    right = torch.ones(384, 1536, dtype=dtype, device=device)
    return min(
        timeit.repeat(lambda: (left @ right).sum().item(), number=1, repeat=10)
    )  # item waits for the device
