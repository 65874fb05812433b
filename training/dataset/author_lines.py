"""Author lines as examples of spam: those of real spammers, and ordinary names, which no corpus gives."""

import random
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

from belowline.data.corpora import CORPORA
from belowline.data.corpora.spam import blog_spam, blog_spam_authors
from belowline.data.example import Example, known
from belowline.model.author_line import author_line
from belowline.training.files import template_text

AUTHOR_LINES = "author-lines"
"""The name of these examples in a mix, and their source."""
ORDINARY = "ordinary"
"""The slice of ordinary names."""
_SITES = (
    "https://{user}.com",
    "https://www.{user}.net",
    "https://{user}.wordpress.com",
    "https://{user}.github.io",
    "https://github.com/{user}",
    "https://twitter.com/{user}",
    "https://medium.com/@{user}",
    "https://www.linkedin.com/in/{user}",
    "http://{user}.blogspot.com",
    "https://www.{last}family.org/blog",
    "https://{first}writes.co.uk",
    "https://www.{last}-photography.com",
)
"""Websites that readers give: their own pages."""
_SITE_SHARE = 0.4
_SHAPES = ("{first} {last}",) * 6 + (
    "{first}",
    "{first}",
    "{first} {last[0]}.",
    "{first}{last}",
    "{user}",
    "{user}{number}",
    "{last}, {first}",
    "Dr. {first} {last}",
)
_NOT_LETTER = re.compile(r"[^a-z]+")


def author_lines(root: Path) -> Iterator[Example]:
    """Yield the author lines of the spam in ``blog-spam``, and an ordinary author for each two of them.

    Only ``spam`` is known. A spammer's line has row, split and split key of the comment, an ordinary one those of its
    last name. Raises KeyError, ValueError for damaged files.
    """
    authors = blog_spam_authors(root / CORPORA["blog-spam"].folder)
    spam = 0
    for example in blog_spam(root / CORPORA["blog-spam"].folder):
        line = author_line(*authors.get(example.row, (None, None)))
        if line:
            spam += 1
            yield Example(
                line,
                known(spam=1.0),
                AUTHOR_LINES,
                example.row,
                example.split_key,
                split=example.split,
                slice=example.slice,
            )
    yield from ordinary_lines(spam // 2)


def ordinary_lines(count: int, seed: int = 0) -> Iterator[Example]:
    """Yield the lines of up to ``count`` ordinary authors: every pair of names of an origin, in one of some shapes."""
    rng = random.Random(seed)  # reproducible, not secret
    pairs = [
        (origin, *pair)
        for origin, names in origins().items()
        for pair in product(names["first"], names["last"])
    ]
    for origin, first, last in rng.sample(pairs, min(count, len(pairs))):
        line = author_line(*_author(first, last, rng))
        if line:
            yield Example(
                line,
                known(spam=0.0),
                AUTHOR_LINES,
                f"{origin} {first} {last}",
                f"{origin} {last}",
                slice=ORDINARY,
            )


def origins() -> Mapping[str, Mapping[str, list[str]]]:
    """Return origin to its first and last names."""
    text = template_text("names.toml")
    return tomllib.loads(text)


def _author(first: str, last: str, rng: random.Random) -> tuple[str, str | None]:
    """Return a name as readers type it, and for some a website of their own."""
    plain = {"first": _letters(first), "last": _letters(last)}
    user = rng.choice(("{first}{last}", "{first}-{last}", "{first}")).format(**plain)
    shape = rng.choice(_SHAPES)
    name = shape.format(first=first, last=last, user=user, number=rng.randrange(2, 100))
    site = rng.choice(_SITES).format(user=user, **plain) if rng.random() < _SITE_SHARE else None
    return name, site


def _letters(name: str) -> str:
    """Return a name as it stands in an address: ASCII letters in lower case."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().replace("ı", "i").replace("ł", "l"))
    return _NOT_LETTER.sub("", decomposed)
