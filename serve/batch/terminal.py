"""Progress on standard error and results as tables, for a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from belowline.serve.scoring.results import Result
from belowline.serve.scoring.safe_text import on_one_line
from belowline.serve.scoring.wording import ACTIONS, label_name, likelihood

_BAR = 30
_COLOURS = {"publish": "green", "hold": "yellow", "reject": "red"}


class _RateColumn(ProgressColumn):
    """Column with the comments per second."""

    def render(self, task: Task) -> Text:
        """The current rate."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="cyan")


@contextmanager
def counting(
    total: int | None = None, what: str = "scoring", done: int = 0
) -> Iterator[Callable[[int], None]]:
    """Show progress during the block; yields a function that counts comments. ``done`` comments were counted before."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=total is None, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(what, total=total, completed=done)
        yield lambda comments: progress.advance(task, comments)


def print_result(result: Result) -> None:
    """Print a result as a table, without the comment itself."""
    console = Console(highlight=False)
    name, _ = ACTIONS[result.action]
    console.print(
        Text.assemble(
            f"{on_one_line(result.id)}  ", (name, f"bold {_COLOURS[result.action]}"), f"  {_why(result)}"
        )
    )
    table = Table.grid(padding=(0, 1))
    for label, probability in result.scores.items():
        filled = round(probability * _BAR)
        bar = Text("█" * filled, style="red" if label == result.reason.label else "cyan") + Text(
            "░" * (_BAR - filled), "dim"
        )
        name = label_name(label, substance=result.relevance is None)
        table.add_row(f"  {name}", bar, f"{probability:.2f}", Text(likelihood(probability), "dim"))
    if result.relevance is not None:
        table.add_row("  Relevance", "", f"{result.relevance:.2f}", Text(likelihood(result.relevance), "dim"))
    console.print(table)


def _why(result: Result) -> str:
    return "" if result.reason.code == "none" else f"{label_name(result.reason.code)} ({result.reason.rule})"
