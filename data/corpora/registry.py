"""The corpora for training and measuring, with origin and permitted use.

The entries, with the columns of most files, are in ``corpora.toml``; ``attack``, ``hate``, ``reply``, ``spam`` and
``topic`` hold the labels that need code, and functions for files that must be joined.
"""

import csv
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from belowline.data.corpora import attack, hate, reply, spam, topic
from belowline.data.corpora.tables import Labelling, Table
from belowline.data.example import Example, Split
from belowline.model.errors import BelowlineError

Adapter = Callable[[Path], Iterator[Example]]


class CorpusError(BelowlineError):
    """A corpus is missing, damaged or different from its entry; the message gives file and remedy."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A file's origin: GitHub repository, commit and path (of the file or of its folder)."""

    repository: str
    commit: str
    path: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """One entry of ``corpora.toml``.

    Attributes:
        name: Name in recipes.
        folder: Folder below the corpora directory, that of its name unless another corpus has files there too.
        about: Description in one line.
        use: ``"train"`` where the licence allows training weights that anybody may use, else ``"eval"``.
        licence: Licence of labels and text.
        split: How rows are divided.
        columns: How columns become labels.
        upstream: Where the files come from.
        files: Prepared file to its SHA-256.
        tables: How rows become examples, unless a function reads the files.
        reliable: False if the labels carry no information; ``note`` gives the evidence.
        material: True where the files hold no labelled rows but material for generated examples.
        note: Important facts for users.
    """

    name: str
    folder: str
    about: str
    use: Literal["train", "eval"]
    licence: str
    split: str
    columns: str
    upstream: tuple[Upstream, ...]
    files: Mapping[str, str]
    tables: tuple[Table, ...] = ()
    reliable: bool = True
    material: bool = False
    note: str = ""

    @property
    def trainable(self) -> bool:
        """True if released weights may and should be trained on it."""
        return self.use == "train" and self.reliable and not self.material


def _registry() -> dict[str, Corpus]:
    text = resources.files("belowline.data.corpora").joinpath("corpora.toml").read_text("utf-8")
    return {name: _corpus(name, entry) for name, entry in tomllib.loads(text).items()}


def _corpus(name: str, entry: dict[str, Any]) -> Corpus:
    upstream = tuple(Upstream(**origin) for origin in entry.pop("upstream"))
    tables = tuple(Table(**table) for table in entry.pop("tables", ()))
    return Corpus(name=name, folder=entry.pop("folder", name), upstream=upstream, tables=tables, **entry)


CORPORA: Mapping[str, Corpus] = MappingProxyType(_registry())


_LABELLINGS: Mapping[str, Labelling] = {
    **attack.LABELLINGS,
    **hate.LABELLINGS,
    **spam.LABELLINGS,
    **reply.LABELLINGS,
    **topic.LABELLINGS,
}


def _from_tables(corpus: Corpus, folder: Path) -> Iterator[Example]:
    for table in corpus.tables:
        labelling = _LABELLINGS.get(corpus.name) or _LABELLINGS.get(f"{corpus.name}/{table.file}")
        yield from table.examples(corpus.name, folder, labelling)


def _civil_sample(folder: Path) -> Iterator[Example]:
    # Most of what has the natural rate is kept for calibration and test.
    tenths: tuple[Split, ...] = ("train",) * 4 + ("validation",) * 3 + ("test",) * 3
    for example in _from_tables(CORPORA["civil-sample"], folder):
        split = tenths[int(example.split_key, 16) % 10] if example.slice else None
        yield replace(example, split=split)


def _twitcivility(folder: Path) -> Iterator[Example]:
    for example in _from_tables(CORPORA["twitcivility"], folder):
        yield replace(example, slice="intolerant" if float(example.slice) else "")


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {name: partial(_from_tables, corpus) for name, corpus in CORPORA.items() if corpus.tables}
    | {
        "toxic-spans": attack.toxic_spans,
        "civil-sample": _civil_sample,
        "implicit-hate": hate.implicit_hate,
        "hatexplain": hate.hatexplain,
        "blog-spam": spam.blog_spam,
        "twitcivility": _twitcivility,
        "fnc1": topic.fnc1,
    }
)
"""Name of a corpus to the function that reads its folder."""


def read_corpus(name: str, root: Path) -> list[Example]:
    """All examples of corpus ``name`` below ``root``; raises CorpusError for an unknown name or a bad file."""
    if name not in ADAPTERS:
        raise CorpusError(f"unknown corpus {name!r}; known: {', '.join(sorted(ADAPTERS))}")
    folder = root / CORPORA[name].folder
    missing = [file for file in CORPORA[name].files if not (folder / file).is_file()]
    if missing:
        raise CorpusError(
            f"{folder / missing[0]}: missing; fetch it with `belowline-train fetch --corpus {name}`"
        )
    try:
        return list(ADAPTERS[name](folder))
    except (KeyError, ValueError, IndexError, csv.Error) as error:
        # Not repr(error): that of a decoding error holds the text it could not decode.
        raise CorpusError(
            f"{folder}: not in the format of corpus {name!r} ({type(error).__name__}: {error}); fetch it again"
        ) from error
