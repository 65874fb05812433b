"""Contrast pairs: material of the corpora in frames that keep its meaning and in frames that invert it.

A model that reads keywords cannot separate a pair: a quote to agree or to object, a statement affirmed or denied, an
insult thrown or reported, a threat made or mentioned, a group attacked or merely named. The frames, every harmless
sentence and the pairs without material are this project's own (``templates/contrast.toml``). Other harm comes from
the corpora; half of the time the group that it names is swapped.
"""

import random
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from belowline.data.example import HARMLESS, Example, Split, digest, known, without
from belowline.training.dataset.augment import GROUPS, swap_group
from belowline.training.dataset.generate import spin
from belowline.training.files import template_text

SOURCE = "generated-contrast"
_TEMPLATES: dict[str, Any] = tomllib.loads(template_text("contrast.toml"))
_PAIRS: list[dict[str, Any]] = _TEMPLATES.pop("pair")
_NOBODY = known(**HARMLESS, spam=0.0)
_AT_NOUN_END = re.compile(r"\ban? $", re.IGNORECASE)
_FEWEST_MARKS = 4
_LONGEST_QUOTE = 140


@dataclass(frozen=True, slots=True)
class Material:
    """Fillers of frames: examples to quote, statements about groups, nouns used as insults."""

    quotes: Sequence[Example]
    statements: Sequence[str]
    insults: Sequence[str]


def material(examples: Sequence[Example], statements: Mapping[str, str]) -> Material:
    """Return the material of one split; ``statements`` maps posts of ``implicit-hate`` to what they imply."""
    quotes = [example for example in examples if _quotable(example)]
    posts = {example.text for example in examples if example.source == "implicit-hate"}
    implied = {said.strip().rstrip(".") for post, said in statements.items() if post in posts}
    return Material(quotes, sorted(filter(_of_one_group, implied)), _insults(examples))


def _of_one_group(statement: str) -> bool:
    """Return True for a statement about one group that can be swapped; others are about parties or media."""
    return len(statement.split()) > 2 and swap_group(statement, random.Random(0))[1] is not None


def _quotable(example: Example) -> bool:
    short = 12 <= len(example.text) <= _LONGEST_QUOTE and '"' not in example.text and "\n" not in example.text
    # Harm of either kind and harmless text alike: the frame alone must not tell.
    return short and any(example.labels.get(label) in (0.0, 1.0) for label in ("hate", "personal_attack"))


def _insults(examples: Sequence[Example]) -> list[str]:
    """Return nouns that most workers marked as an insult at the end of ``a …``."""
    marks: Counter[str] = Counter()
    for example in examples:
        for span in example.spans or ():
            before, after = example.text[: span.start], example.text[span.end : span.end + 1]
            word = example.text[span.start : span.end].lower()
            noun = word.isalpha() and _AT_NOUN_END.search(before) and after in (*".,!?;", "")
            if span.label == "personal_attack" and span.strength >= 0.5 and noun:
                marks[word] += 1
    return sorted(word for word, count in marks.items() if count >= _FEWEST_MARKS)


def contrast(count: int, given: Material, split: Split, rng: random.Random) -> Iterator[Example]:
    """Return about ``count`` examples for ``split`` (train or test, which have different frames).

    Most are pairs over quotes, statements, insults and the kinds of ``[[pair]]``. The rest names groups, Jews and
    things in harmless ways, argues about wars, is in another language, or says next to nothing.
    """
    makers = (
        (0.17, _quoted(given, split, rng)),
        (0.11, _stated(given, split, rng)),
        (0.13, _insulted(given, split, rng)),
        (0.20, _paired(split, rng)),
        (0.11, _named("group", split, rng)),
        (0.07, _named("jews", split, rng)),
        (0.06, _named("things", split, rng)),
        (0.10, _argued(split, rng)),
        (0.03, _foreign(split, rng)),
        (0.02, _short(split, rng)),
    )
    number = 0
    for share, made in makers:
        for _, (text, labels, kind) in zip(range(round(share * count)), made, strict=False):
            text = text[0].upper() + text[1:]
            yield Example(text, labels, SOURCE, f"{split}:{number}", digest(text), split=split, slice=kind)
            number += 1


Made = tuple[str, Mapping[str, float], str]


def _of_split(frames: list[str], split: Split) -> list[str]:
    kept = max(1, len(frames) // 3)
    return frames[-kept:] if split == "test" else frames[:-kept]


def _quoted(given: Material, split: Split, rng: random.Random) -> Iterator[Made]:
    """Yield the same text quoted to agree, with its labels, and to object, without them."""
    harmful = [quote for quote in given.quotes if _harms(quote)]
    harmless = [quote for quote in given.quotes if not _harms(quote)]
    while harmful and harmless:
        quote = rng.choice(harmful if rng.random() < 0.67 else harmless)
        text, labels = _swapped(quote, rng)
        text = text.strip().rstrip(".")
        yield _filled(_TEMPLATES["agree"], split, rng, x=text), labels, "quoted to agree"
        clean = _NOBODY if not quote.labels.get("profanity") else without(_NOBODY, "profanity")
        yield _filled(_TEMPLATES["object"], split, rng, x=text), clean, "quoted to object"


def _harms(example: Example) -> bool:
    return example.labels.get("hate") == 1.0 or example.labels.get("personal_attack") == 1.0


def _swapped(quote: Example, rng: random.Random) -> tuple[str, Mapping[str, float]]:
    """Text and labels of a quote, half of the time with another group named."""
    text, names_jews = swap_group(quote.text, rng) if rng.random() < 0.5 else (quote.text, None)
    labels = without(quote.labels, "on_topic")
    if names_jews is None or "hate" not in labels:
        return text, labels
    return text, known(**{**labels, "antisemitism": labels["hate"] if names_jews else 0.0})


def _stated(given: Material, split: Split, rng: random.Random) -> Iterator[Made]:
    """Yield a statement that a hateful post implies, affirmed and denied."""
    while given.statements:
        statement, names_jews = swap_group(rng.choice(given.statements), rng)
        labels = known(hate=1.0, antisemitism=float(bool(names_jews)), spam=0.0)
        yield _filled(_TEMPLATES["affirm"], split, rng, s=statement), labels, "statement affirmed"
        yield _filled(_TEMPLATES["deny"], split, rng, s=statement), _NOBODY, "statement denied"


def _insulted(given: Material, split: Split, rng: random.Random) -> Iterator[Made]:
    """Yield an insult thrown at a person, and the same word thrown at nobody."""
    while given.insults:
        words = {"n": rng.choice(given.insults), "j": rng.choice(_TEMPLATES["insulting"])}
        hit = known(personal_attack=1.0, toxicity=1.0, hate=0.0, antisemitism=0.0, threat=0.0, spam=0.0)
        yield _an(_filled(_TEMPLATES["insult"], split, rng, **words)), hit, "insult"
        nobody = _an(_filled(_TEMPLATES["no_insult"], split, rng, **words))
        yield nobody, without(_NOBODY, "profanity"), "insult of nobody"


def _paired(split: Split, rng: random.Random) -> Iterator[Made]:
    """Yield a harmful sentence of each kind of ``[[pair]]`` in turn, and a harmless one in similar words."""
    while True:
        for pair in _PAIRS:
            (plural, one, adjective), kind = rng.choice(GROUPS), pair["kind"]
            names = {"gs": plural, "g": one}
            labels = known(**pair["labels"])
            if "{g" in pair["harmful"][0]:
                labels = known(**labels, antisemitism=float(adjective == "jewish"))
            yield _an(_filled(pair["harmful"], split, rng, **names)), labels, kind
            yield _an(_filled(pair["harmless"], split, rng, **names)), _NOBODY, f"no {kind}"


def _short(split: Split, rng: random.Random) -> Iterator[Made]:
    """Yield one or two words, or emoji alone: harmless and without substance."""
    while True:
        yield _filled(_TEMPLATES["short"], split, rng), known(**_NOBODY, on_topic=0.0), "short"


def _named(what: str, split: Split, rng: random.Random) -> Iterator[Made]:
    """Yield groups, Jews or things in harmless sentences."""
    while True:
        plural, one, adjective = rng.choice(GROUPS)
        other = rng.choice([row for row in GROUPS if row[2] != adjective])[0]
        names = {
            "gs": plural,
            "g": one,
            "a": adjective,
            "gs2": other,
            "t": rng.choice(_TEMPLATES["things_named"]),
        }
        labels = without(_NOBODY, "profanity") if what == "things" else _NOBODY
        yield _an(_filled(_TEMPLATES[what], split, rng, **names)), labels, f"{what} named"


def _foreign(split: Split, rng: random.Random) -> Iterator[Made]:
    """Yield one or two harmless sentences in another language than English."""
    while True:
        said = [_filled(_TEMPLATES["other_language"], split, rng) for _ in range(rng.randint(1, 2))]
        yield " ".join(said), _NOBODY, "other language"


def _argued(split: Split, rng: random.Random) -> Iterator[Made]:
    """Yield one to four sentences about a war or a state, of either side: without hatred of a people."""
    while True:
        names = dict(zip(("p", "pa", "v", "vp"), rng.choice(_TEMPLATES["conflicts"]), strict=True))
        said = [_filled(_TEMPLATES["war"], split, rng, **names) for _ in range(rng.randint(1, 4))]
        yield _an(" ".join(one[0].upper() + one[1:] for one in said)), _NOBODY, "war argued"


def _filled(frames: list[str], split: Split, rng: random.Random, **slots: str) -> str:
    """Fill the slots of a random frame after spinning it; the material itself is never spun."""
    frame = rng.choice(_of_split(frames, split))
    for slot in slots:
        frame = frame.replace(f"{{{slot}}}", f"\0{slot}\0")
    text = spin(frame, rng)
    for slot, value in slots.items():
        text = text.replace(f"\0{slot}\0", value)
    return re.sub(r"\s+([.,!?])", r"\1", re.sub(r"[ \t]+", " ", text).strip())


def _an(text: str) -> str:
    """``a idiot`` → ``an idiot``."""
    return re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", text)
