"""From corpora to one dataset: de-duplicated across corpora, split without leakage, weighed as the recipe says."""

import hashlib
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from datasets import Dataset, DatasetDict, Features, List, Value

from belowline.data.corpora import CORPORA, CorpusError, read_corpus
from belowline.data.example import Example, Split
from belowline.data.hate_corpora import implied_statements
from belowline.data.judgements import on_topic
from belowline.model.draw import draw
from belowline.model.normalise import normalise
from belowline.training.contrast import contrast, material
from belowline.training.generate import link_spam, own_links
from belowline.training.recipe import Recipe

_NOT_WORD = re.compile(r"[\W_]+")
_SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_KEPT_APART: tuple[tuple[Split, tuple[Split, ...]], ...] = (
    ("validation", ("test",)),
    ("train", ("test", "validation")),
)


def fingerprint(text: str) -> str:
    """What makes two texts the same example: their letters and digits as the model reads them (emoji by name), folded."""
    letters = _NOT_WORD.sub("", normalise(text).text.casefold())
    return hashlib.sha256((letters or text).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def split_of(example: Example, *, validation: float = 0.07, test: float = 0.13) -> Split:
    """The split that the corpus fixes, or one derived from the split key, the same for ever and on every machine."""
    if example.split is not None:
        return example.split
    # Salted: a corpus whose rows were chosen by a plain hash of their identifier (isca) would otherwise fall into one split.
    drawn = draw(f"split {example.split_key}")
    return "validation" if drawn < validation else "test" if drawn < validation + test else "train"


def gather(recipe: Recipe, root: Path) -> Iterator[Example]:
    """The examples of every corpus in the recipe's mix that say something about its labels; project labels first."""
    wanted = frozenset(recipe.labels)
    for name in sorted(recipe.mix, key=lambda name: name != "on-topic"):
        examples = list(on_topic(root)) if name == "on-topic" else _trainable(name, root)
        useful = [example for example in examples if wanted & example.labels.keys()]
        if recipe.limit is not None:
            useful = random.Random(recipe.seed).sample(useful, k=min(recipe.limit, len(useful)))
        yield from useful


def _trainable(name: str, root: Path) -> list[Example]:
    corpus = CORPORA.get(name)
    if corpus is not None and not corpus.trainable:
        raise CorpusError(
            f"corpus {name}: not for training ({corpus.note or 'its licence allows measuring only'})"
        )
    return read_corpus(name, root)


def divide(examples: Iterable[Example]) -> dict[Split, list[Example]]:
    """Examples by split. Of the same text only the first is kept within a split, and a text of test or validation is kept out of
    train, whatever corpus either copy came from."""
    kept: dict[Split, dict[str, Example]] = {split: {} for split in _SPLITS}
    for example in examples:
        kept[split_of(example)].setdefault(fingerprint(example.text), example)
    for later, earlier in _KEPT_APART:
        for other in earlier:
            for print_ in kept[other].keys() & kept[later].keys():
                del kept[later][print_]
    return {split: list(kept[split].values()) for split in _SPLITS}


def generated(recipe: Recipe, root: Path, splits: Mapping[Split, Sequence[Example]]) -> Iterator[Example]:
    """The generated examples that the recipe asks for, each for the split of its material; raises CorpusError for an unknown generator."""
    rng = random.Random(recipe.seed)  # reproducible, not secret
    hosts = [c for c in splits["train"] if c.labels.get("spam") == 0.0 and len(c.text) > 80]
    for name, count in recipe.generated.items():
        if name == "link-spam":
            yield from link_spam(count, _material("wp-blacklist", root), hosts, rng)
        elif name == "own-links":
            # A video that is left out, as `leave_one_out` does, must not come back through its comments.
            yield from own_links(count, [host for host in hosts if host.source != "youtube-spam"], rng)
        elif name == "contrast":
            statements = implied_statements(_material("implicit-hate", root))
            train, test = (material(splits[split], statements) for split in ("train", "test"))
            yield from contrast(count, train, "train", rng)
            # Few of the insults stand often enough in the test split; a list of words gives nothing of it away.
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


def passes(example: Example, recipe: Recipe) -> float:
    """How often one pass over the mix shows the example; generated ones are shown once."""
    return recipe.mix.get(example.source, 1.0)


def build(recipe: Recipe, root: Path) -> DatasetDict:
    """The dataset of a recipe from the corpora below ``root``; raises CorpusError."""
    splits = divide(gather(recipe, root))
    for example in list(generated(recipe, root, splits)):
        splits[split_of(example)].append(example)
    empty = [split for split in _SPLITS if not splits[split]]
    if empty:
        raise CorpusError(
            f"the mix has no examples for {' and '.join(empty)}; add a corpus or raise the recipe's limit"
        )
    return DatasetDict({split: _dataset(examples, recipe) for split, examples in splits.items()})


def _dataset(examples: Sequence[Example], recipe: Recipe) -> Dataset:
    features = Features(
        {
            "text": Value("string"),
            "labels": List(Value("float32")),
            "spans": List(
                {
                    "label": Value("string"),
                    "start": Value("int32"),
                    "end": Value("int32"),
                    "strength": Value("float32"),
                }
            ),
            "spans_known": Value("bool"),
            "source": Value("string"),
            "row": Value("string"),
            "slice": Value("string"),
            "context": Value("string"),
            "passes": Value("float32"),
        }
    )
    return Dataset.from_list([_row(example, recipe) for example in examples], features=features)


def _row(example: Example, recipe: Recipe) -> dict[str, object]:
    spans = [
        {"label": span.label, "start": span.start, "end": span.end, "strength": span.strength}
        for span in example.spans or ()
    ]
    return {
        # Arrow holds UTF-8 only; a lone surrogate is no character anyway.
        "text": example.text.encode("utf-8", "replace").decode("utf-8"),
        "labels": [example.labels.get(label) for label in recipe.labels],
        "spans": spans,
        "spans_known": example.spans is not None,
        "source": example.source,
        "row": example.row,
        "slice": example.slice,
        "context": example.article or example.parent,
        "passes": passes(example, recipe),
    }
