"""What a site's decisions teach: a model that never saw one corpus meets its comments in the queue, moderators decide them as the corpus
labels them, and it is trained again after 200, 500, 1,000 and 2,000 decisions: ``python -m tests.release.simulate_loop --folder WORK``.

The road is the real one: comments are taken into a store, held, decided, exported by ``belowline decisions export`` and trained on by the
recipe ``retrain`` with replay of the other corpora. Which comments are decided is either left to chance or to the queue's order ``learn``
(by the scores of the model at the start, as comments carry them). Measured are areas under the curve on test rows: ``hate`` of the corpus
left out, and the mean over labels and corpora of everything else, which tells what was forgotten. The model at the start is a small one
(``--limit`` rows of each corpus, one pass), so that a simulation takes an hour and not a day. ``WORK/learned.json`` has every figure.
"""

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from rich.console import Console
from sklearn.metrics import roc_auc_score

from belowline.data.corpora import read_corpus
from belowline.data.example import Example
from belowline.model import Policy, Scorer, Scores, Thresholds, normalise
from belowline.serve.decisions.export import export_decisions
from belowline.serve.judge import ModerationPipeline
from belowline.serve.store import learning, moderator_decisions
from belowline.serve.store.database import Database
from belowline.serve.store.intake import IncomingComment, take_in
from belowline.serve.store.moderator_decisions import Moderator, ModeratorDecision
from belowline.training.dataset.mix import fingerprint, gather, split_of
from belowline.training.fit.fit import fit
from belowline.training.fit.weights import load_model
from belowline.training.recipes.recipe import Recipe, load_recipe

RECIPES = Path(__file__).resolve().parents[2] / "training" / "recipes"
ORDERS = ("random", "learn")
LABEL, CODE = "hate", "hate_speech"


def recipe_without(named: str, left_out: str, **changes: Any) -> Recipe:
    """A recipe of the package less a corpus."""
    recipe = load_recipe(RECIPES / f"{named}.toml")
    mix = {corpus: rate for corpus, rate in recipe.mix.items() if corpus != left_out}
    return Recipe.model_validate({**recipe.model_dump(), "mix": mix, **changes})


def probabilities(folder: Path, texts: Sequence[str], labels: Sequence[str]) -> dict[str, list[float]]:
    """Label to what the trained weights say of ``texts``, of which the first 128 tokens are read."""
    model, tokenizer = load_model(folder)
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    rows = np.zeros((len(texts), len(labels)))
    for start in range(0, len(order), 64):
        some = order[start : start + 64]
        plain = [normalise(texts[at]).text for at in some]
        read = tokenizer(plain, truncation=True, max_length=128, padding=True, return_tensors="pt")
        with torch.inference_mode():
            rows[some] = torch.sigmoid(model(read["input_ids"], read["attention_mask"]).logits).numpy()
    return {label: rows[:, at].tolist() for at, label in enumerate(labels)}


def areas(folder: Path, tests: Mapping[str, Sequence[Example]], labels: Sequence[str]) -> dict[str, float]:
    """``corpus/label`` to the area under the curve on its test rows, where both verdicts are among them ten times."""
    found = {}
    for corpus, examples in tests.items():
        given = probabilities(folder, [one.text for one in examples], labels)
        for label in labels:
            known = [at for at, one in enumerate(examples) if label in one.labels]
            truth = [examples[at].labels[label] >= 0.5 for at in known]
            if 10 <= sum(truth) <= len(truth) - 10:
                found[f"{corpus}/{label}"] = float(roc_auc_score(truth, [given[label][at] for at in known]))
    return found


def decided(
    examples: Sequence[Example], given: Sequence[float], order: str, counts: Sequence[int], folder: Path
) -> list[Path]:
    """Files of decisions, one for each count: the comments wait in a queue and are decided in an order, as the corpus has them."""
    store = folder / f"{order}.sqlite3"
    store.unlink(missing_ok=True)
    database = Database.open(f"sqlite:///{store}")
    thresholds = {LABEL: Thresholds(hold=0.0, reject=None)}  # everything waits
    judge = ModerationPipeline(cast(Scorer, _Named()), Policy("all", False, thresholds, "publish"))
    incoming = [
        IncomingComment(caller_id=one.row, text=one.text, scores=Scores({LABEL: p}, (), "en", _Named.version))
        for one, p in zip(examples, given, strict=True)
    ]
    with database.write() as tx:
        kept = [one.comment for one in take_in(tx, judge, "simulated", None, incoming)]
    truth = dict(zip(kept, (one.labels[LABEL] >= 0.5 for one in examples), strict=True))
    chosen, files = _chosen(kept, given, order), []
    for before, count in zip([0, *counts], counts, strict=False):
        for comment in chosen[before:count]:
            ruling = (
                ModeratorDecision("reject", code=CODE) if truth[comment] else ModeratorDecision("publish")
            )
            with database.write() as tx:
                moderator_decisions.rule(tx, Moderator("simulated"), comment, ruling, judge.policy)
        files.append(folder / f"{order}-{count}.jsonl")
        export_decisions(database, files[-1])
    database.close()
    return files


class _Named:
    """Stands where a model's version is asked for; nothing is scored in the store."""

    version = "start"


def _chosen(kept: Sequence[int], given: Sequence[float], order: str) -> list[int]:
    if order == "random":
        return random.Random(1).sample(list(kept), len(kept))
    candidates = (
        learning.Candidate(
            comment,
            None,
            learning.uncertainty({LABEL: p}, {LABEL: 0.5}),
            learning.offered(comment, "held", CODE),
        )
        for comment, p in zip(kept, given, strict=True)
    )
    return [one.id for one in learning.ranked(candidates)]


def main() -> None:
    """Simulates; every stage that is done is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="folder to work in")
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--without", default="ghc", help="corpus that the site's comments are from")
    parser.add_argument("--limit", type=int, default=500, help="rows of each other corpus at the start")
    parser.add_argument("--pool", type=int, default=4000, help="comments that wait")
    parser.add_argument("--counts", type=int, nargs="+", default=[200, 500, 1000, 2000])
    parser.add_argument("--replay", type=int, default=800, help="rows of other corpora beside the decisions")
    parser.add_argument(
        "--test-rows",
        type=int,
        default=60,
        help="of each other corpus; ten times as many of the one left out",
    )
    arguments = parser.parse_args()
    console, folder, root = Console(stderr=True), arguments.folder, arguments.corpora
    folder.mkdir(parents=True, exist_ok=True)
    before = recipe_without(
        "newsroom", arguments.without, name="start", start=None, limit=arguments.limit,
        generated={"link-spam": 300, "own-links": 150, "contrast": 500}, fit={"passes": 1.0, "tokens_per_batch": 4096},
        augment={"disguise": 0.1},
    )  # fmt: skip
    model = fit(before, root, folder / "start", console)
    labels = before.labels
    site = {fingerprint(one.text): one for one in read_corpus(arguments.without, root)}.values()
    rng = random.Random(0)
    pool = [one for one in site if split_of(one) == "train" and LABEL in one.labels]
    pool = rng.sample(pool, min(arguments.pool, len(pool)))
    tests = _tests(before, root, arguments.test_rows)
    own = [one for one in site if split_of(one) == "test"]
    tests[arguments.without] = rng.sample(own, min(len(own), 10 * arguments.test_rows))
    given = probabilities(model, [one.text for one in pool], labels)[LABEL]
    results = {"start": areas(model, tests, labels)}
    for order in ORDERS:
        for count, file in zip(
            arguments.counts, decided(pool, given, order, arguments.counts, folder), strict=True
        ):
            name = f"{order}-{count}"
            recipe = recipe_without(
                "retrain",
                arguments.without,
                name=name,
                limit=arguments.limit,
                replay={"examples": arguments.replay},
                generated={},
                checks={"wrong_labels": False},  # looked at before; takes as long as the training
            )
            again = fit(recipe, root, folder / name, console, model, [file])
            results[name] = areas(again, tests, labels)
            _report(results, arguments.without, folder)


def _tests(recipe: Recipe, root: Path, rows: int) -> dict[str, list[Example]]:
    """Corpus to test rows of everything that the model at the start was trained on."""
    by_corpus: dict[str, list[Example]] = {}
    for one in gather(recipe.model_copy(update={"limit": None}), root):
        if split_of(one) == "test":
            by_corpus.setdefault(one.source, []).append(one)
    rng = random.Random(0)
    return {name: rng.sample(some, min(rows, len(some))) for name, some in sorted(by_corpus.items())}


def _report(results: Mapping[str, Mapping[str, float]], left_out: str, folder: Path) -> None:
    (folder / "learned.json").write_text(json.dumps(results, indent=1) + "\n")
    for name, found in results.items():
        others = [area for key, area in found.items() if not key.startswith(f"{left_out}/")]
        print(
            f"{name:14} {left_out} {LABEL} {found[f'{left_out}/{LABEL}']:.3f}   all else {np.mean(others):.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
