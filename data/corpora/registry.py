"""The corpora for training and measuring, with origin and permitted use.

The entries are in ``corpora.toml``; the adapters are in ``attack``, ``hate``, ``reply``, ``spam`` and ``topic``.
"""

import csv
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from belowline.data.corpora import attack, hate, reply, spam, topic
from belowline.data.example import Example
from belowline.model.errors import BelowlineError

Adapter = Callable[[Path], Iterator[Example]]

ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "toxic-spans": attack.toxic_spans,
        "jigsaw": attack.jigsaw,
        "cat": attack.cat,
        "cad": attack.cad,
        "civil-sample": attack.civil_sample,
        "isca": hate.isca,
        "ghc": hate.ghc,
        "implicit-hate": hate.implicit_hate,
        "hatexplain": hate.hatexplain,
        "hatemoji": hate.hatemoji,
        "stormfront": hate.stormfront,
        "edos": hate.edos,
        "dghs": hate.dghs,
        "toxigen": hate.toxigen,
        "mhs": hate.mhs,
        "youtube-spam": spam.youtube_spam,
        "sms-spam": spam.sms_spam,
        "janitr": spam.janitr,
        "blog-spam": spam.blog_spam,
        "blog-ham": spam.blog_ham,
        "youtube-spam-2014": spam.youtube_spam_2014,
        "threatgram": reply.threatgram,
        "github-incivility": reply.github_incivility,
        "counterspeech": reply.counterspeech,
        "twitcivility": reply.twitcivility,
        "conflict-talk": reply.conflict_talk,
        "spamassassin": spam.spamassassin,
        "fnc1": topic.fnc1,
        "c3": topic.c3,
        "appropriateness": topic.appropriateness,
    }
)


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
    return Corpus(name=name, folder=entry.pop("folder", name), upstream=upstream, **entry)


CORPORA: Mapping[str, Corpus] = MappingProxyType(_registry())


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
