"""The command ``belowline-train``."""

import sys
from pathlib import Path

from rich.console import Console


def main() -> None:
    """Entry point."""
    from belowline.training.fit import fit
    from belowline.training.recipe import load_recipe

    recipe = load_recipe(Path(sys.argv[2]))
    fit(recipe, Path(sys.argv[3]), Path(sys.argv[4]), Console())
