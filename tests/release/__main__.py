"""``python -m tests.release --run RUN --model DIR``: every target of a release, measured on the exported model."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from belowline.model import model_directory
from tests.release.figures import figures


def main(
    run: Annotated[Path, typer.Option("--run", help="Directory of the training run.")],
    model: Annotated[Path, typer.Option("--model", help="Model directory to measure.")] = Path("model-out"),
    corpora: Annotated[Path, typer.Option("--corpora", help="Directory of the corpora.")] = Path("corpora"),
    videos: Annotated[
        bool,
        typer.Option(
            "--videos", help="Train four small models first, each without one video of youtube-spam."
        ),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=10, help="Rows of each corpus at most, for a quick look; default all.")
    ] = None,
) -> None:
    """Measure every target of a release and write the rows to figures.json in the run."""
    figures(run, model_directory(model), corpora, Console(), videos=videos, limit=limit)


if __name__ == "__main__":
    typer.run(main)
