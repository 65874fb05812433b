"""Pages that a real WordPress printed, and the rows (author, parent, text) that a reader should find in them."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

from belowline.data import Thread
from belowline.data.archives.html.pages import html_thread
from belowline.data.archives.saved_page.page import parse_page

FOLDER = Path(__file__).resolve().parents[1] / "data" / "archives" / "saved_pages"

Row = tuple[str | None, str | None, str]
"""Author, text of the parent comment, text."""


class Found(NamedTuple):
    """Rows of a layout: how many there are, how many were read exactly, and how many were read that are none."""

    rows: int
    exact: int
    wrong: int


def layouts(folder: Path = FOLDER) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.zip"))


def pages(layout: str, suffix: str, folder: Path = FOLDER) -> Iterator[tuple[Thread, list[dict[str, Any]]]]:
    """Each page of a layout in one form (".html", ".txt") with the comments that were written below it."""
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    with ZipFile(folder / f"{layout}.zip") as archive:
        for number, comments in enumerate(truth, start=1):
            page = archive.read(f"{number}{suffix}").decode("utf-8")
            thread = html_thread(page, layout) if suffix == ".html" else parse_page(page, layout)
            assert thread is not None
            yield thread, comments


def page_text(layout: str, name: str) -> str:
    with ZipFile(FOLDER / f"{layout}.zip") as archive:
        return archive.read(name).decode("utf-8")


def rows_of(thread: Thread) -> list[Row]:
    texts = {comment.id: comment.text for comment in thread.comments}
    return [
        (comment.author, texts[comment.parent] if comment.parent else None, comment.text)
        for comment in thread.comments
    ]


def true_rows(comments: Sequence[dict[str, Any]], suffix: str, *, parents: bool) -> list[Row]:
    """The rows that a page in this form shows; plain text of WordPress without wpDiscuz prints no parents."""
    key = "text" if suffix == ".html" else "plain"
    return [
        (
            comment["author"],
            comments[comment["parent"]][key] if parents and comment["parent"] is not None else None,
            comment[key],
        )
        for comment in comments
    ]


def count(layout: str, suffix: str, folder: Path = FOLDER) -> Found:
    """Compare the rows that were read from the pages of a layout with the true ones."""
    rows = exact = read = 0
    parents = suffix == ".html" or layout.startswith("wpdiscuz")
    for thread, comments in pages(layout, suffix, folder):
        true, found = Counter(true_rows(comments, suffix, parents=parents)), Counter(rows_of(thread))
        rows, read, exact = rows + true.total(), read + found.total(), exact + (true & found).total()
    return Found(rows, exact, read - exact)


if __name__ == "__main__":
    import sys

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for layout in layouts(folder):
        print(f"{layout:20}", *(f"{suffix} {count(layout, suffix, folder)}" for suffix in (".html", ".txt")))
