"""All benchmarks, or a selection: ``python -m tests.bench [--parts limit,peers] [--out bench-out]``.

Each part's result is saved as soon as it is measured. A run that is restarted with the same ``--out`` measures only the
missing parts. ``bench.json`` and ``bench.html`` are written last; the page is rendered from the JSON alone.
"""

import argparse
import importlib
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from belowline.model.directory import DEFAULT_MODEL_DIR, model_directory
from belowline.serve.batch.atomic import replacing
from tests.bench.figures import number, slope
from tests.bench.machine import Others, facts, start, warnings
from tests.bench.page import render
from tests.bench.rounds import Setup, Step, seconds
from tests.bench.texts import CORPORA

PARTS = ("limit", "peers", "service", "cost", "growth", "queue", "protocols", "audit")
"""Modules of this package with a function ``run(setup, step)``, in order of execution."""
_EMPTY: dict[str, Any] = {"groups": [], "bars": [], "curves": [], "tables": []}


class BenchError(Exception):
    """Results cannot be measured or combined; the message is one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure missing parts and render the page; return 1 if a part failed, 2 if nothing could be done."""
    asked, console = _parser().parse_args(arguments), Console(stderr=True)
    try:
        failed = [] if asked.render else measure(asked, console)
        bench = json.loads((asked.out / "bench.json").read_text("utf-8"))
    except (BenchError, FileNotFoundError) as error:
        console.print(f"bench: {error}", style="red", highlight=False)
        return 2
    _write(asked.out / "bench.html", render(bench))
    for told in warnings(bench):
        console.print(f"Warning: {told}", style="yellow", highlight=False)
    console.print(f"{asked.out / 'bench.json'} and {asked.out / 'bench.html'} are written")
    if failed:
        console.print(f"failed: {', '.join(failed)}; start again to try what is missing", style="red")
    return int(bool(failed))


def measure(asked: argparse.Namespace, console: Console) -> list[str]:
    """Run the requested parts that have no result yet and combine all results; return the names of failed parts."""
    setup = Setup(asked.quick, asked.corpora, asked.model)
    kept, failed = asked.out / "parts", []
    kept.mkdir(parents=True, exist_ok=True)
    wanted = [part for part in asked.parts if asked.again or not (kept / f"{part}.json").exists()]
    told = _begun(asked.out / "run.json", facts(setup), begins=bool(wanted))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(wanted))
        for part in wanted:
            step = _steps(progress, bar, part)
            try:
                found = _measured(part, setup, step)
            except Exception:
                console.print(traceback.format_exc(), highlight=False, markup=False)
                failed.append(part)
            else:
                _write(kept / f"{part}.json", json.dumps(found, indent=1) + "\n")
                _print(found, console)
            progress.advance(bar)
    there = [part for part in PARTS if (kept / f"{part}.json").exists()]
    parts = {part: json.loads((kept / f"{part}.json").read_text("utf-8")) for part in there}
    _write(asked.out / "bench.json", json.dumps({**told, "parts": parts}, indent=1) + "\n")
    return failed


def _steps(progress: Progress, bar: Any, part: str) -> Step:
    def step(told: str) -> None:
        progress.update(bar, description=f"{part}: {told}")
        if not progress.console.is_terminal:
            progress.console.print(f"{part}: {told}", highlight=False, markup=False)

    return step


def _measured(part: str, setup: Setup, step: Step) -> dict[str, Any]:
    run: Callable[[Setup, Step], dict[str, Any]] = importlib.import_module(f"tests.bench.{part}").run
    began, others, found = datetime.now(UTC).isoformat(timespec="seconds"), Others(), {}
    took = seconds(lambda: found.update(run(setup, step)))
    return {**_EMPTY, **found, "began": began, "took_s": took, "others": others.share()}


def _begun(file: Path, now: dict[str, Any], *, begins: bool) -> dict[str, Any]:
    """Return the facts and starts of a run, with this start added.

    Raises BenchError where ``file`` belongs to a run under other circumstances.
    """
    told = json.loads(file.read_text("utf-8")) if file.exists() else {"facts": now, "starts": []}
    unlike = [name for name in now if now[name] != told["facts"].get(name)]
    if unlike:
        raise BenchError(
            f"{file.parent}: holds results of another {', '.join(unlike)}; remove it or name another folder with --out"
        )
    if begins:
        told["starts"].append(start())
        _write(file, json.dumps(told, indent=1) + "\n")
    return told


def _print(part: dict[str, Any], console: Console) -> None:
    for group in part["groups"]:
        table = Table(group["title"], "median", "lowest", "highest", "rounds", title_justify="left")
        for name, one in group["rows"].items():
            told = [f"{number(one['median'])} {one['unit']}", number(one["low"]), number(one["high"])]
            table.add_row(name, *told, str(one["count"]))
        console.print(table)
    for curve in part["curves"]:
        console.print(f"{curve['title']}: exponent {slope(curve['exponent'])}", highlight=False)


def _write(file: Path, text: str) -> None:
    with replacing(file) as target:
        target.write(text.encode())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--parts", type=_parts, default=PARTS, help=f"some of {','.join(PARTS)}; default: all"
    )
    parser.add_argument(
        "--quick", action="store_true", help="everything small: shows that it runs, measures nothing"
    )
    parser.add_argument("--again", action="store_true", help="measure the parts anew that are there already")
    parser.add_argument("--render", action="store_true", help="only write bench.html from bench.json")
    parser.add_argument(
        "--model",
        type=lambda given: model_directory(Path(given)),
        default=DEFAULT_MODEL_DIR,
        help="model directory, or small; default: the released one",
    )
    parser.add_argument("--corpora", type=Path, default=CORPORA, help="folder that may hold c3")
    parser.add_argument("--out", type=Path, default=Path("bench-out"), help="folder for what is measured")
    return parser


def _parts(names: str) -> tuple[str, ...]:
    asked = names.split(",")
    if unknown := [name for name in asked if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: unknown; use some of {','.join(PARTS)}")
    return tuple(part for part in PARTS if part in asked)


if __name__ == "__main__":
    sys.exit(main())
