"""From corpora and decisions to one dataset: de-duplicated across corpora, split without leakage, weighted by the
recipe.
"""

import hashlib
import math
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from datasets import Dataset, DatasetDict, Features, List, Value

from belowline.data.corpora import CORPORA, CorpusError, read_corpus
from belowline.data.corpora.hate import implied_statements
from belowline.data.corpora.on_topic_grades import on_topic, on_topic_grades
from belowline.data.corpora.own_labels import OWN_LABELS, own_labelled, own_labels
from belowline.data.example import Example, Split
from belowline.model.hash_sampling import draw
from belowline.model.normalise import normalise
from belowline.training.dataset.author_lines import AUTHOR_LINES, author_lines
from belowline.training.dataset.contrast import contrast, material
from belowline.training.dataset.generate import link_spam, own_links
from belowline.training.errors import RecipeError
from belowline.training.files import without_surrogates
from belowline.training.recipes.recipe import DECISIONS, Recipe

_NOT_WORD = re.compile(r"[\W_]+")
_ROUNDS = 50
"""Of scaling to the mean and cutting at the cap: they settle."""
_SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_MATERIAL = {"link-spam": "wp-blacklist", "contrast": "implicit-hate"}
"""Generator to the corpus that it takes its material from."""
_FIRST = (OWN_LABELS, "on-topic")
"""Sources whose labels are better than those of other corpora for the same text."""
_KEPT_APART: tuple[tuple[Split, tuple[Split, ...]], ...] = (
    ("validation", ("test",)),
    ("train", ("test", "validation")),
)


def fingerprint(text: str) -> str:
    """Return a key that is equal for texts with the same letters and digits after normalisation."""
    return fingerprint_of_plain(normalise(text).text, text)


def fingerprint_of_plain(plain: str, text: str) -> str:
    """Return the fingerprint of a text whose normalised form is ``plain``."""
    letters = _NOT_WORD.sub("", plain.casefold())
    return hashlib.sha256((letters or text).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def split_of(example: Example, *, validation: float = 0.07, test: float = 0.13) -> Split:
    """Return the split that the corpus fixes, or one derived from the split key, the same on every machine."""
    if example.split is not None:
        return example.split
    # Salted: rows of a corpus that were chosen by a hash of their identifier (isca) would otherwise share one split.
    drawn = draw(f"split {example.split_key}")
    return "validation" if drawn < validation else "test" if drawn < validation + test else "train"


def gather(recipe: Recipe, root: Path) -> Iterator[Example]:
    """Yield the examples of every corpus in the mix that know one of the labels; project labels first.

    With another teacher, also those that know none.
    """
    labels = frozenset(recipe.labels)
    unlabelled = recipe.distil is not None and bool(recipe.distil.teacher)
    names = [name for name in recipe.mix if name != DECISIONS]
    relabelled = own_labels().keys() if OWN_LABELS in recipe.mix else frozenset()
    for name in sorted(names, key=lambda name: (*_FIRST, name).index(name)):
        examples = _read(name, root)
        useful = [
            example
            for example in examples
            if (labels & example.labels.keys() or unlabelled)
            # A test row is measured with the labels of its corpus too.
            and ((name, example.row) not in relabelled or split_of(example) == "test")
        ]
        if recipe.limit is not None:
            useful = random.Random(recipe.seed).sample(useful, k=min(recipe.limit, len(useful)))
        yield from useful


def decided(recipe: Recipe, files: Sequence[Path]) -> list[Example]:
    """Return the decisions in ``files`` that know a label; raises RecipeError if recipe and files do not match."""
    if bool(files) != (DECISIONS in recipe.mix):
        problem = (
            f"no {DECISIONS}; add `{DECISIONS} = 1.0` to it"
            if files
            else f"{DECISIONS}; give --decisions FILE"
        )
        raise RecipeError(f"recipe {recipe.name}: its [mix] has {problem}")
    if not files:
        return []
    from belowline.data.decisions import examples_to_split

    labels = frozenset(recipe.labels)
    return [
        example for file in files for example in examples_to_split(file) if labels & example.labels.keys()
    ]


def is_decision(source: str) -> bool:
    """Return True for the source of a site's decisions."""
    return source.startswith(f"{DECISIONS}:")


def available(recipe: Recipe, root: Path) -> tuple[Recipe, list[str]]:
    """Return the recipe without the corpora missing below ``root``, and their names; generators need the whole mix."""
    needed = {name: name for name in recipe.mix if name != DECISIONS}
    needed |= {name: _MATERIAL[name] for name in sorted(_MATERIAL.keys() & recipe.generated)}
    missing = [name for name, corpus in needed.items() if not _is_available(corpus, root)]
    mix = {name: rate for name, rate in recipe.mix.items() if name not in missing}
    left = {"mix": mix, "generated": {} if missing else recipe.generated}
    return recipe.model_copy(update=left), missing


def _is_available(name: str, root: Path) -> bool:
    """Return True for a corpus below ``root``, and for an unknown name, which raises an error when it is read."""
    if name in _FIRST:
        rows = own_labels() if name == OWN_LABELS else on_topic_grades()
        return all(_is_available(corpus, root) for corpus in {corpus for corpus, _ in rows})
    name = "blog-spam" if name == AUTHOR_LINES else name
    return name not in CORPORA or all(
        (root / CORPORA[name].folder / file).is_file() for file in CORPORA[name].files
    )


def _read(name: str, root: Path) -> list[Example]:
    """Return the examples of an entry of a mix; raises CorpusError."""
    if name == OWN_LABELS:
        return list(own_labelled(root))
    if name == "on-topic":
        return list(on_topic(root))
    if name == AUTHOR_LINES:
        _material("blog-spam", root)
        return list(author_lines(root))
    return _trainable(name, root)


def _trainable(name: str, root: Path) -> list[Example]:
    corpus = CORPORA.get(name)
    if corpus is not None and not corpus.trainable:
        raise CorpusError(
            f"corpus {name}: not for training ({corpus.note or 'its licence allows measuring only'})"
        )
    return read_corpus(name, root)


def divide(examples: Iterable[Example]) -> dict[Split, list[Example]]:
    """Return examples by split.

    Within a split only the first of equal texts is kept, but test rows with own labels stand beside their corpus's. A
    text of test or validation is removed from train, whatever corpus it is from.
    """
    splits: dict[Split, dict[str, Example]] = {split: {} for split in _SPLITS}
    own_test: dict[str, Example] = {}
    for example in examples:
        split = split_of(example)
        texts = own_test if (example.source, split) == (OWN_LABELS, "test") else splits[split]
        texts.setdefault(fingerprint(example.text), example)
    for later, earlier in _KEPT_APART:
        for text in splits[later].keys() & set(own_test).union(*(splits[other] for other in earlier)):
            del splits[later][text]
    divided = {split: list(splits[split].values()) for split in _SPLITS}
    return divided | {"test": [*divided["test"], *own_test.values()]}


def generated(recipe: Recipe, root: Path, splits: Mapping[Split, Sequence[Example]]) -> Iterator[Example]:
    """Yield the generated examples, each in the split of its material; raises CorpusError for unknown generators."""
    rng = random.Random(recipe.seed)  # reproducible, not secret
    hosts = [c for c in splits["train"] if c.labels.get("spam") == 0.0 and len(c.text) > 80]
    for name, count in recipe.generated.items():
        if name == "link-spam":
            yield from link_spam(count, _material(_MATERIAL[name], root), hosts, rng)
        elif name == "own-links":
            # A video that is left out, as `leave_one_out` does, must not come back through its comments.
            yield from own_links(count, [host for host in hosts if host.source != "youtube-spam"], rng)
        elif name == "contrast":
            statements = implied_statements(_material(_MATERIAL[name], root))
            train, test = (material(splits[split], statements) for split in ("train", "test"))
            yield from contrast(count, train, "train", rng)
            # Few insults are frequent enough in the test split; a list of words does not leak its texts.
            yield from contrast(count // 10, replace(test, insults=train.insults), "test", rng)
        else:
            raise CorpusError(f"generator {name!r}: not known; there are link-spam, own-links and contrast")


def _material(name: str, root: Path) -> Path:
    missing = [file for file in CORPORA[name].files if not (root / name / file).is_file()]
    if missing:
        raise CorpusError(
            f"{root / name / missing[0]}: not there; fetch it with `belowline-train fetch --corpus {name}`"
        )
    return root / name


def replayed(examples: Sequence[Example], recipe: Recipe) -> list[Example]:
    """Return all decisions, and as many other examples as the recipe replays, drawn in proportion to their rates."""
    count = recipe.replay.examples
    if count is None:
        return list(examples)
    rng = random.Random(recipe.seed)  # reproducible, not secret
    # Efraimidis and Spirakis 2006: the largest of u ** (1 / rate) are a draw without replacement by rate.
    keys = {
        at: math.log(1 - rng.random()) / recipe.mix.get(example.source, 1.0)
        for at, example in enumerate(examples)
        if not is_decision(example.source)
    }
    drawn = set(sorted(keys, key=keys.__getitem__, reverse=True)[:count])
    return [example for at, example in enumerate(examples) if at in drawn or at not in keys]


def passes(example: Example, recipe: Recipe) -> float:
    """Return the number of times that one epoch draws the example; 1 if it is generated or was drawn for a replay."""
    if is_decision(example.source):
        return recipe.mix.get(DECISIONS, 1.0)
    return 1.0 if recipe.replay.examples is not None else recipe.mix.get(example.source, 1.0)


def weights(examples: Sequence[Example], cap: float) -> list[float]:
    """Return the weight of each example in the loss: mean 1 over its source, at most ``cap``.

    Raises CorpusError for a weight that is not a positive number.
    """
    values = np.array([example.weight for example in examples], dtype=np.float64)
    for at in np.flatnonzero(~(np.isfinite(values) & (values > 0)))[:1]:
        raise CorpusError(
            f"{examples[at].source}, row {examples[at].row}: weight {values[at]} is not above 0"
        )
    sources = np.array([example.source for example in examples], dtype=np.str_)
    for source in np.unique(sources):
        rows = sources == source
        for _ in range(_ROUNDS):
            values[rows] = np.minimum(values[rows] / values[rows].mean(), cap)
    return [float(weight) for weight in values]


def collect(recipe: Recipe, root: Path, files: Sequence[Path] = ()) -> list[Example]:
    """Return the examples of the mix: a site's own decisions, then the corpora. Raises CorpusError, RecipeError."""
    return [*decided(recipe, files), *gather(recipe, root)]


def build(recipe: Recipe, root: Path, examples: Iterable[Example] | None = None) -> DatasetDict:
    """Build the dataset from ``examples``, by default those of the corpora below ``root``; raises CorpusError."""
    splits = divide(collect(recipe, root) if examples is None else examples)
    for example in list(generated(recipe, root, splits)):
        splits[split_of(example)].append(example)
    splits["train"] = replayed(splits["train"], recipe)
    empty = [split for split in _SPLITS if not splits[split]]
    if empty:
        raise CorpusError(
            f"the mix has no examples for {' and '.join(empty)}; add a corpus, raise the recipe's "
            "limit, or export more decisions"
        )
    return DatasetDict({split: _dataset(examples, recipe) for split, examples in splits.items()})


def _dataset(examples: Sequence[Example], recipe: Recipe) -> Dataset:
    text, number = Value("string"), Value("float32")
    span = {"label": text, "start": Value("int32"), "end": Value("int32"), "strength": number}
    columns = {"text": text, "labels": List(number), "spans": List(span), "spans_known": Value("bool")}
    columns |= dict.fromkeys(("source", "row", "slice", "context", "split_key"), text)
    columns |= {"passes": number, "weight": number}
    counted = zip(examples, weights(examples, recipe.fit.weight_cap), strict=True)
    rows = [_row(example, recipe) | {"weight": weight} for example, weight in counted]
    return Dataset.from_list(rows, features=Features(columns))


def _row(example: Example, recipe: Recipe) -> dict[str, object]:
    spans = [asdict(span) for span in example.spans or ()]
    return {
        # Arrow holds UTF-8 only; a lone surrogate is no character anyway.
        "text": without_surrogates(example.text),
        "labels": [example.labels.get(label) for label in recipe.labels],
        "spans": spans,
        "spans_known": example.spans is not None,
        "source": example.source,
        "row": example.row,
        "slice": example.slice,
        "context": example.article or example.parent,
        "split_key": example.split_key,
        "passes": passes(example, recipe),
    }
