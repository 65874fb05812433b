"""Whether a training computes in bf16 or in fp32: measured, for it depends on the processor at hand."""

import json
import time
from pathlib import Path

import torch

from belowline.training.files import write_json
from belowline.training.recipes.recipe import Recipe


def precision(run: Path, recipe: Recipe) -> str:
    """``bf16`` or ``fp32``, decided once a run: what it is resumed on, or shared with, may be faster at the other."""
    info = json.loads((run / "run.json").read_text("utf-8"))
    if "precision" not in info:
        info["precision"] = "bf16" if uses_bf16(recipe) else "fp32"
        write_json(run / "run.json", info)
    return str(info["precision"])


def uses_bf16(recipe: Recipe) -> bool:
    """Whether to compute in bf16. ``auto`` measures a product of the encoder's size in either precision and takes the faster one: one and
    the same processor was seen at 147 GFLOP/s in bf16 and 251 in fp32 on one day, at 875 and 200 on another host (training/LOG.md)."""
    if recipe.fit.precision != "auto":
        return recipe.fit.precision == "bf16"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return _product_seconds(torch.bfloat16, device) < 0.8 * _product_seconds(torch.float32, device)


def _product_seconds(dtype: torch.dtype, device: torch.device) -> float:
    """The fastest of ten products [2048, 384] @ [384, 1536]; the first ones also choose and load kernels."""
    left = torch.ones(2048, 384, dtype=dtype, device=device)
    right = torch.ones(384, 1536, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        (left @ right).sum().item()  # waits for the device
        best = min(best, time.perf_counter() - start)
    return best
