"""Slices of the test rows: keywords, length, news, obfuscated copies, named groups."""

import random
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from belowline.model import Scorer, normalise
from belowline.training.dataset.augment import GROUPS, disguised
from belowline.training.measure.bootstrap import Bools
from belowline.training.measure.test_set import TestSet

NEWS = ("toxic-spans", "civil-sample", "c3")
"""Corpora of comments below news articles."""
SHORT = 30
"""Tokens of a short comment at most, special ones included: about two sentences."""
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


def keywords(test: TestSet, corpus: str) -> dict[str, Bools]:
    """Return the slices that ``corpus`` defines, as masks [n] over all rows."""
    inside = test.sources == corpus
    return {str(name): inside & (test.slices == name) for name in np.unique(test.slices[inside])}


def lengths(test: TestSet, scorer: Scorer) -> dict[str, Bools]:
    """Return three bands of length in the model's tokens; the longest band has the texts of several windows."""
    encoded = scorer.tokenizer.encode_batch([normalise(text).text for text in test.texts])
    tokens = np.array([len(encoding.ids) for encoding in encoded])
    window = scorer.config.window.tokens
    return {
        f"up to {SHORT} tokens": tokens <= SHORT,
        f"{SHORT + 1} to {window} tokens": (tokens > SHORT) & (tokens <= window),
        f"over {window} tokens": tokens > window,
    }


def domains(test: TestSet) -> dict[str, Bools]:
    """Return comments on news and the rest; rows of the project's own labels count by the site that they are from."""
    written = np.where(test.sources == "on-topic", test.slices, test.sources)
    news = np.isin(written, NEWS)
    return {"news": news, "elsewhere": ~news}


def obfuscated_copies(test: TestSet, most: int, seed: int = 0) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Return numbers [k] of at most ``most`` random rows, and an obfuscated copy of each; unchanged copies are left
    out.
    """
    rng = random.Random(seed)  # reproducible, not secret
    rows = sorted(rng.sample(range(len(test.texts)), k=min(most, len(test.texts))))
    copies = {row: disguised(test.texts[row], rng) for row in rows}
    changed = [row for row in rows if copies[row] != test.texts[row]]
    return np.array(changed, dtype=np.intp), [copies[row] for row in changed]


def named_groups(texts: Sequence[str]) -> dict[str, Bools]:
    """Return group to the texts [n] that name it neutrally; "black" and "white" may also be mere colours."""
    return {
        group: np.array([bool(pattern.search(text)) for text in texts], dtype=bool)
        for group, pattern in _patterns().items()
    }


def _patterns() -> dict[str, re.Pattern[str]]:
    forms: dict[str, list[str]] = defaultdict(list)
    for row in GROUPS:
        forms[row[2]] += row
    return {
        names[0]: re.compile(rf"\b(?:{'|'.join((*names, *_FURTHER.get(adjective, ())))})\b", re.IGNORECASE)
        for adjective, names in forms.items()
    }
