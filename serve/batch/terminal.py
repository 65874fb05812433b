"""Progress on standard error and results as tables, for a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

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
_FIRST_LINE_S, _LINE_S = 10.0, 60.0
_COLOURS = {"publish": "green", "hold": "yellow", "reject": "red"}


class _RateColumn(ProgressColumn):
    """Column with the comments per second."""

    def render(self, task: Task) -> Text:
        """The current rate."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="cyan")


class _LogLines:
    """Progress as a line now and then, for a log: after 10 seconds, then twice as long each time, up to a minute."""

    def __init__(self, console: Console, total: int | None, what: str, done: int) -> None:
        self._console, self._total, self._what, self._done = console, total, what, done
        self._start, self._started = done, monotonic()
        self._next, self._wait = self._started + _FIRST_LINE_S, _FIRST_LINE_S

    def advance(self, comments: int) -> None:
        """Count comments."""
        self._done += comments
        if monotonic() >= self._next and self._done != self._total:
            self._wait = min(2 * self._wait, _LINE_S)
            self._next = monotonic() + self._wait
            self._console.print(self._line(), highlight=False, soft_wrap=True)

    def _line(self) -> str:
        rate = (self._done - self._start) / max(monotonic() - self._started, 1e-9)
        shown = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
        if self._total is None:
            return f"{self._what}: {self._done:,} ({shown})"
        left = (self._total - self._done) / rate if rate else 0.0
        return f"{self._what}: {self._done:,} of {self._total:,} ({shown}, {_duration(left)} left)"


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@contextmanager
def counting(
    total: int | None = None, what: str = "scoring", done: int = 0
) -> Iterator[Callable[[int], None]]:
    """Show progress on standard error during the block: a bar on a terminal, a line now and then in a log.

    Yields a function that counts comments. ``done`` comments were counted before.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _LogLines(console, total, what, done).advance
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=total is None) as progress:
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
