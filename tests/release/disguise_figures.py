"""Effect of obfuscation on the model: obfuscated copies of test rows, and spam in unseen kinds of obfuscation."""

import random
from collections import defaultdict

import numpy as np
import numpy.typing as npt
from rich.console import Console

from belowline.model import Scorer
from belowline.training.dataset.augment import disguised
from belowline.training.measure.calibrate import equal_weights, two_sided
from belowline.training.measure.intervals import Bools, Floats
from belowline.training.measure.rows import MEASURED_ONLY, predictions
from tests.release.bootstrap import Measurement, bootstrapped, missing
from tests.release.label_figures import Readings, auc, auc_lost
from tests.release.unseen_disguises import unseen_spam

_LABELS = ("hate", "personal_attack", "spam")
_ROWS_PER_LABEL = 500
_UNSEEN = 500
_FALSE_POSITIVES = 0.01


def disguise_drop(scorer: Scorer, readings: Readings, console: Console) -> Measurement:
    """Return the largest drop in AUC of a label between test rows and obfuscated copies of the same rows.

    Harmful and harmless rows are obfuscated alike. For each label 500 rows are drawn from the run's corpora that know
    both its sides, every corpus with the same chance.
    """
    test = readings.test
    own = ~np.isin(test.sources, MEASURED_ONLY)
    known = {label: two_sided(readings.target(label), test.sources) & own for label in _LABELS}
    known = {label: rows for label, rows in known.items() if rows.any()}
    if not known:
        return missing("no test rows know both sides of a label")
    drawn = [_drawn(rows, test.sources, seed) for seed, rows in enumerate(known.values())]
    chosen = np.unique(np.concatenate(drawn))
    rng = random.Random(0)  # reproducible, not secret
    copies = predictions(scorer, [disguised(test.texts[row], rng) for row in chosen], console, "disguised")
    columns = {
        label: (
            readings.target(label)[chosen[rows[chosen]]] >= 0.5,
            readings.int8[label][chosen[rows[chosen]]],
            copies[label][rows[chosen]],
        )
        for label, rows in known.items()
    }
    drops = {label: auc_lost(*column) for label, column in columns.items()}
    worst = max(drops, key=drops.__getitem__)
    each = ", ".join(f"{label} {drop:.3f} of {auc(*columns[label][:2]):.3f}" for label, drop in drops.items())
    return bootstrapped(auc_lost, *columns[worst], note=f"{worst}; drop of the clean AUC: {each}")


def _drawn(rows: Bools, sources: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.intp]:
    """Return at most 500 of the ``rows`` [n], each corpus with the same chance."""
    indices = np.flatnonzero(rows)
    size = min(_ROWS_PER_LABEL, len(indices))
    chance = equal_weights(sources[indices])
    rng = np.random.default_rng(seed)
    return np.asarray(rng.choice(indices, size, replace=False, p=chance / chance.sum()))


def unseen_recall(scorer: Scorer, harmless: Floats, console: Console) -> Measurement:
    """Return the recall on 500 generated spam texts in unseen obfuscation.

    The threshold is the spam probability that 1 % of comments exceed. ``harmless`` [n] are the spam probabilities of
    real comments, few of which can be spam.
    """
    threshold = float(np.quantile(harmless, 1 - _FALSE_POSITIVES, method="higher"))
    spam = unseen_spam(_UNSEEN)
    found = predictions(scorer, [one.text for one in spam], console, "unseen disguises")["spam"] > threshold
    plain = predictions(scorer, [one.plain for one in spam], console, "the same, plain")["spam"] > threshold
    kinds: dict[str, list[bool]] = defaultdict(list)
    for one, caught in zip(spam, found, strict=True):
        kinds[one.kind].append(bool(caught))
    each = ", ".join(f"{kind} {np.mean(caught):.2f}" for kind, caught in kinds.items())
    note = (
        f"spam probability above {threshold:.3f}, taken as given; undisguised {plain.mean():.3f}; "
        f"by kind: {each}"
    )
    return bootstrapped(np.mean, found, note=note)
