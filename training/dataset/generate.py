"""Generated examples: link spam that the corpora lack, and its honest counterpart, a reader's link to a source.

Money offers and shop templates are this project's own (``templates/link_spam.toml``). Praise spam is spun
from ``constructs.txt`` of the WordPress comment blacklist (templates of real spam); shop words come from its
``blacklist.txt``. Half of the spam is obfuscated.
"""

import random
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from belowline.data.example import HARMLESS, Example, Span, digest, known, without
from belowline.training.dataset.augment import disguised, random_tail
from belowline.training.files import template_text

_SLUG_WORD = re.compile(r"[a-z]{2,}")
_SPIN = re.compile(r"\{([^{}]*)\}")
_SPAM = known(**HARMLESS, spam=1.0, on_topic=0.0)
_OWN_LINK = known(spam=0.0)

_TEMPLATES: dict[str, Any] = tomllib.loads(template_text("link_spam.toml"))


def spin(template: str, rng: random.Random, slots: Mapping[str, Sequence[str]] | None = None) -> str:
    """Replace each ``{a|b}`` by one of its parts, innermost first, and each ``{name}`` by one of its slot's values."""

    def choice(match: re.Match[str]) -> str:
        found: str = match.group(1)
        parts = (slots or {}).get(found, found.split("|"))
        return rng.choice(parts)

    while _SPIN.search(template):
        template = _SPIN.sub(choice, template)
    return template


def link_spam(count: int, material: Path, hosts: Sequence[Example], rng: random.Random) -> Iterator[Example]:
    """Return ``count`` examples of link spam, half of them obfuscated, a quarter of them appended to one of
    ``hosts``, real comments.

    The spam is marked as evidence. ``material`` is the folder of the WordPress comment blacklist.
    """
    terms = [line for line in (material / "blacklist.txt").read_text("utf-8").splitlines() if _readable(line)]
    praise = _praise(material / "constructs.txt")
    harmless = [host for host in hosts if host.labels.get("toxicity") == 0.0]
    for number in range(count):
        text = _spam(terms, praise, rng)
        if rng.random() < 0.5:
            text = disguised(text, rng)
        if rng.random() < 0.2:
            text = random_tail(text, rng)
        host = rng.choice(harmless) if harmless and rng.random() < 0.25 else None
        yield _spam_example(text, host, number)


def _spam_example(spam: str, host: Example | None, number: int) -> Example:
    before = f"{host.text} " if host else ""
    text = before + spam
    marked = (Span("spam", len(before), len(text), 1.0),)
    # Substance of the host comment stays unknown: long comments with substance must not be taught as having none.
    labels = known(**without(host.labels, "spam", "on_topic"), spam=1.0) if host else _SPAM
    return Example(
        text, labels, "generated-link-spam", str(number), digest(text), split="train", spans=marked
    )


def _readable(term: str) -> bool:
    return term.isascii() and term.replace(" ", "").isalpha() and 5 <= len(term) <= 24


def _praise(path: Path) -> list[str]:
    """Return the top-level templates of the file, which a bar at the end of a line separates."""
    text = re.sub(r"\s*\n\s*", " ", re.sub(r"\|\s*\n", "\0", path.read_text("utf-8")))
    return [part for part in text.split("\0") if part.count("{") == part.count("}") and len(part) < 1500]


def _spam(terms: Sequence[str], praise: Sequence[str], rng: random.Random) -> str:
    kind = rng.random()
    linked, unlinked = _TEMPLATES["tails"][2:], _TEMPLATES["tails"]
    if kind < 0.25:
        text = " ".join(rng.sample(_TEMPLATES["money"], k=rng.choice((1, 1, 2)))) + rng.choice(linked)
    elif kind < 0.7:
        text = rng.choice(_TEMPLATES["offers"]) + rng.choice((*linked, *_TEMPLATES["contacts"]))
    elif kind < 0.8:
        text = rng.choice(_TEMPLATES["shops"]) + rng.choice(linked)
    else:
        text = rng.choice(praise) + rng.choice(unlinked)
    return spin(text, rng, _TEMPLATES["slots"] | {"term": terms})


def own_links(count: int, comments: Sequence[Example], rng: random.Random) -> Iterator[Example]:
    """Return ``count`` of ``comments`` with a link to a source before or after the text, or in its place."""
    for number, example in enumerate(rng.sample(comments, k=min(count, len(comments)))):
        introduction = spin(rng.choice(_TEMPLATES["sources"]), rng)
        link = _source_address(example.text, rng)
        source = f"{introduction} {link}"
        first = example.text.split(". ")[0]
        text = rng.choice(
            (f"{example.text} {source}",) * 4
            + (f"{link}\n\n{example.text}",) * 2
            + (f"{first}\n{link}", source, link)
        )
        yield Example(text, _OWN_LINK, "generated-own-links", str(number), digest(text), split="train")


def _source_address(text: str, rng: random.Random) -> str:
    """Return a source's address in the form that newspapers use, half of the time with words of its subject."""
    words = _SLUG_WORD.findall(text.lower())
    if len(words) < 4 or rng.random() < 0.5:
        return spin("{report}", rng, _TEMPLATES["slots"])
    start = rng.randrange(len(words) - 3)
    slug = "-".join(words[start : start + rng.randrange(4, 11)])
    return spin("{article}", rng, _TEMPLATES["slots"] | {"slug": [slug]})
