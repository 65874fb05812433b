"""Rows of a corpus's delimited files as examples, as ``corpora.toml`` declares them."""

import csv
import html
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from belowline.data.example import HARMLESS, Example, Split, digest, known

Row = dict[str, str]
Labelling = Callable[[Row], Mapping[str, float] | None]
"""A function from a row to its labels, or to None for a row to leave out."""
_TAG = re.compile(r"<(?:br|/?a|/?b|/?i|/?s)\b[^>]*>")
_CLEANINGS: Mapping[str, Callable[[str], str]] = {
    "": str,
    "entities": html.unescape,
    "entities, \\n": lambda text: html.unescape(text).replace("\\n", "\n"),
    "markup": lambda text: html.unescape(_TAG.sub(" ", text)).strip("\ufeff "),
    "[linebreak]": lambda text: text.replace("[linebreak]", "\n"),
    "_x000D_": lambda text: text.replace("_x000D_", " ").strip(),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A file of a corpus; ``row``, ``key``, ``split`` and ``slice`` are templates like ``{column}``.

    Attributes:
        file: Name of the file, with commas between its fields if it is quoted and no ``.tsv``.
        labels: Label to its value: a number, a column with the number, or a column and the texts that stand for 1.
            None leaves the labels to a function of the corpus.
        verdict: A column and the text that stands for toxic; anything else rules out every harmful label.
        text: Column with the text.
        row: Identifier of a row; without one, the row's number after ``prefix``.
        key: Split key, up to ``key_end``, or its hash if ``key_hashed``; without one, a hash of the text.
        split: Value that ``splits`` maps to a split.
        clean: Conversion of the text.
        quoted: False if quotes are part of the text.
    """

    file: str
    labels: Mapping[str, float | str | list[str]] | None = None
    verdict: tuple[str, str] | None = None
    text: str = "text"
    row: str = ""
    prefix: str = ""
    key: str = ""
    key_end: str = ""
    key_hashed: bool = False
    split: str = ""
    splits: Mapping[str, Split] = field(default_factory=lambda: {"test": "test"})
    parent: str | None = None
    article: str | None = None
    slice: str = ""
    clean: str = ""
    quoted: bool = True

    def examples(self, corpus: str, folder: Path, labelling: Labelling | None) -> Iterator[Example]:
        """The examples of the file's rows."""
        for number, row in enumerate(rows(folder / self.file, quoted=self.quoted)):
            text = _CLEANINGS[self.clean](row[self.text])
            labels = self._labels(row) if labelling is None else labelling(row)
            if labels is not None:
                yield Example(
                    text,
                    labels,
                    corpus,
                    self.row.format_map(row) if self.row else f"{self.prefix}{number}",
                    self._key(row) if self.key else digest(text),
                    split=self.splits.get(self.split.format_map(row)),
                    parent=row[self.parent] if self.parent else None,
                    article=row[self.article] if self.article else None,
                    slice=self.slice.format_map(row),
                )

    def _labels(self, row: Row) -> Mapping[str, float]:
        if self.verdict:
            column, toxic = self.verdict
            return known(toxicity=1.0, spam=0.0) if row[column] == toxic else known(**HARMLESS, spam=0.0)
        return known(**{label: _share(value, row) for label, value in (self.labels or {}).items()})

    def _key(self, row: Row) -> str:
        key = self.key.format_map(row)
        if self.key_end:
            key = key.split(self.key_end)[0]
        return digest(key) if self.key_hashed else key


def _share(value: float | str | list[str], row: Row) -> float:
    if isinstance(value, list):
        return float(row[value[0]] in value[1:])
    return float(row[value] if isinstance(value, str) else value)


def rows(path: Path, *, quoted: bool = True) -> Iterator[Row]:
    """The rows of a file with a header, as mappings; raises ValueError for a row with another number of fields."""
    csv.field_size_limit(sys.maxsize)
    # All unquoted files are separated by tabs.
    delimiter = "\t" if path.suffix == ".tsv" or not quoted else ","
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(
            file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        )
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(
                    f"{path.name} line {reader.line_num}: {len(row)} fields where the header names another number"
                )
            yield row
