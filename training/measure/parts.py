"""Parts of the test rows: corpora, slices, lengths, words, news or elsewhere, named groups."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from belowline.data.corpora.own_labels import OWN_LABELS
from belowline.model import Scorer, normalise
from belowline.training.dataset.augment import GROUPS
from belowline.training.measure.intervals import Bools, Floats
from belowline.training.measure.rows import TestRows

ALL = "all"
NEWS = ("toxic-spans", "civil-sample", "c3")
"""Corpora of comments below news articles."""
SHORT = 30
"""Tokens of a short comment at most, special ones included: about two sentences."""
FEW_WORDS, MANY_WORDS = 30, 60
FEWEST_OF_A_CLASS = 10
_FURTHER = {
    "black": ("blacks",),
    "white": ("whites",),
    "muslim": ("islamic",),
    "gay": ("gays", "homosexual", "homosexuals"),
    "trans": ("transgender", "transgendered"),
    "latino": ("latina", "latinas", "latinx", "hispanic", "hispanics"),
    "immigrant": ("migrant", "migrants"),
}
"""Adjective to further neutral names: those that augmentation has no whole row of forms for."""
Key = tuple[str, str]
"""Label and part."""
CORPUS, NAMES = "corpus ", "names "
"""Beginnings of the names of parts: a corpus, or the comments that name a group."""
BIAS = "named groups"
"""The part of all rows over which the bias of a label is measured."""


def parts_of(rows: TestRows, scorer: Scorer | None) -> dict[str, Bools]:
    """Return name of a part to its rows [n]: all, corpora, their slices, lengths, news or elsewhere, named groups."""
    parts: dict[str, Bools] = {ALL: np.ones(len(rows.texts), dtype=bool)}
    for source in np.unique(rows.sources).tolist():
        inside = rows.sources == source
        parts[CORPUS + source] = inside
        slices = np.unique(rows.slices[inside]).tolist()
        if len(slices) > 1:
            parts |= {f"{source}: {name}": inside & (rows.slices == name) for name in slices if name}
    parts |= {f"comments {name}": mask for name, mask in domains(rows).items()}
    parts |= {f"words {name}": mask for name, mask in words(rows.texts).items()}
    if scorer is not None:
        parts |= {f"length {name}": mask for name, mask in lengths(rows, scorer).items()}
    parts |= {NAMES + name: mask for name, mask in named_groups(rows.texts).items()}
    return {name: mask for name, mask in parts.items() if mask.any()}


def lengths(rows: TestRows, scorer: Scorer) -> dict[str, Bools]:
    """Return three bands of length in the model's tokens; the longest band has the texts of several windows."""
    encoded = scorer.tokenizer.encode_batch([normalise(text).text for text in rows.texts])
    tokens = np.array([len(encoding.ids) for encoding in encoded])
    window = scorer.config.window.tokens
    return {
        f"up to {SHORT} tokens": tokens <= SHORT,
        f"{SHORT + 1} to {window} tokens": (tokens > SHORT) & (tokens <= window),
        f"over {window} tokens": tokens > window,
    }


def words(texts: Sequence[str]) -> dict[str, Bools]:
    """Return three bands of length in words: within a band, length alone says little about substance."""
    counts = np.array([len(text.split()) for text in texts])
    few, many = FEW_WORDS, MANY_WORDS
    return {
        f"under {few}": counts < few,
        f"{few} to {many}": (counts >= few) & (counts <= many),
        f"over {many}": counts > many,
    }


def domains(rows: TestRows) -> dict[str, Bools]:
    """Return comments on news and the rest; rows of the project's own labels count by the site that they are from."""
    written = np.where(np.isin(rows.sources, ("on-topic", OWN_LABELS)), rows.slices, rows.sources)
    news = np.isin(written, NEWS)
    return {"news": news, "elsewhere": ~news}


def named_groups(texts: Sequence[str]) -> dict[str, Bools]:
    """Return group to the texts [n] that name it neutrally; "black" and "white" may also be mere colours."""
    forms: dict[str, list[str]] = defaultdict(list)
    for row in GROUPS:
        forms[row[2]] += row
    groups: dict[str, Bools] = {}
    for adjective, names in forms.items():
        every = "|".join((*names, *_FURTHER.get(adjective, ())))
        pattern = re.compile(rf"\b(?:{every})\b", re.IGNORECASE)
        groups[names[0]] = np.array([bool(pattern.search(text)) for text in texts], dtype=bool)
    return groups


def scored_by_all(scores: Sequence[Mapping[str, Floats]], rows: TestRows) -> dict[str, Bools]:
    """Return label to the rows [n] whose target is known and that all models with this label scored."""
    scored: dict[str, Bools] = {}
    for label in rows.labels:
        columns = [probabilities[label] for probabilities in scores if label in probabilities]
        if columns:
            scored[label] = np.asarray(~np.isnan([rows.target(label), *columns]).any(axis=0))
    return scored


def measurable(
    rows: TestRows,
    scored: Mapping[str, Bools],
    parts: Mapping[str, Bools],
    fewest: int = 2,
    of_a_class: int = 1,
) -> dict[Key, Bools]:
    """Return the rows [n] of each label and part with at least ``fewest`` rows, ``of_a_class`` of either class.

    ``BIAS`` is a part of every label.
    """
    masks: dict[Key, Bools] = {}
    for label, known in scored.items():
        truth = rows.target(label) >= 0.5
        for part, mask in parts.items():
            inside = mask & known
            size, positives = int(inside.sum()), int((truth & inside).sum())
            if size >= fewest and of_a_class <= positives <= size - of_a_class:
                masks[label, part] = inside
        masks[label, BIAS] = known
    return masks


def sizes_of(rows: TestRows, masks: Mapping[Key, Bools]) -> dict[Key, tuple[int, int]]:
    """Return the numbers of rows and of positives of each label and part."""
    return {
        (label, part): (int(mask.sum()), int((rows.target(label)[mask] >= 0.5).sum()))
        for (label, part), mask in masks.items()
    }
