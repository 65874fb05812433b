"""Compares a candidate model with the active one on comments of the store; nothing is written."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from belowline.model import Context, Policy, ScoreInput, Scorer, Scores, decide
from belowline.serve.active.active import pair_of
from belowline.serve.active.files import digest_of, digest_with, load_whole
from belowline.serve.active.promotion import active_model
from belowline.serve.batch.read import in_chunks
from belowline.serve.batch.terminal import counting
from belowline.serve.queue.comments import CommentOut, load, newest
from belowline.serve.queue.dry_run import context_of
from belowline.serve.scoring.fault_isolation import article_context, score_each
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database

FAILED = "failed"
"""Stands for the action of a model that could not score a comment."""
_CHUNK = 50


@dataclass(slots=True)
class ModelComparison:
    """Result of a comparison.

    Attributes:
        actions: Number of comments by the pair (active model's action, candidate's action).
        differences: By label, the candidate's probability minus the active model's, for each comment that both scored.
        disagreements: Comments with different actions, newest first: (id, active model's action, candidate's action).
    """

    active: str
    candidate: str
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)
    differences: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    disagreements: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def agreement(self) -> float:
        """Share of comments on which both models lead to the same action."""
        return (
            sum(n for (active, candidate), n in self.actions.items() if active == candidate)
            / self.actions.total()
        )

    def labels(self) -> Iterator[tuple[str, int, float, float]]:
        """Yields label, number of comments, mean difference and mean absolute difference."""
        for label, values in sorted(self.differences.items()):
            yield label, len(values), fmean(values), fmean(map(abs, values))

    def add(
        self, comment: int, actions: tuple[str, str], active: Scores | None, other: Scores | None
    ) -> None:
        """Adds one comment with both actions and both models' scores."""
        self.actions[actions] += 1
        if actions[0] != actions[1]:
            self.disagreements.append((comment, *actions))
        if active and other:
            for label in active.probabilities.keys() & other.probabilities.keys():
                self.differences[label].append(other.probabilities[label] - active.probabilities[label])


def compare_models(settings: Settings, database: Database, candidate: Path, last: int) -> ModelComparison:
    """Scores the newest ``last`` comments that are not erased with both models and applies the active policy to both.

    Each model decides with its own thresholds where the policy sets none. Raises ModelError, PolicyError or StoreError.
    """
    present = active_model(database, settings)
    models = [
        _loaded(settings, database, present.directory, present.digest),
        _loaded(settings, database, candidate, digest_of(candidate)),
    ]
    comparison = ModelComparison(models[0].model, models[1].model)
    with database.read() as tx:
        ids = newest(tx, last)
    with counting(len(ids), "comparing") as count:
        for chunk in in_chunks(ids, _CHUNK):
            with database.read() as tx:  # a short transaction: scoring takes long
                loaded = load(tx, chunk)
            _compare(loaded, models, comparison)
            count(len(chunk))
    return comparison


def _loaded(settings: Settings, database: Database, directory: Path, digest: str) -> ModerationPipeline:
    second = settings.second_model_dir
    scorer: Scorer = load_whole(directory, digest, settings.threads, second)
    return pair_of(scorer, digest_with(digest, second), settings.policy, database).pipeline


def _compare(
    chunk: Sequence[CommentOut], models: Sequence[ModerationPipeline], comparison: ModelComparison
) -> None:
    readable = [(comment, comment.text) for comment in chunk if comment.text is not None]
    # The store has no websites, so both models read the author's name alone.
    inputs = [
        ScoreInput(
            text, _article(comment), comment.parent_text, comment.author.name if comment.author else None
        )
        for comment, text in readable
    ]
    scored = [score_each(pipeline.scorer, inputs) for pipeline in models]
    for (comment, text), active, other in zip(readable, *scored, strict=True):
        context = context_of(comment, text)
        actions = _action(active, models[0].policy, context), _action(other, models[1].policy, context)
        comparison.add(comment.id, actions, active, other)


def _article(comment: CommentOut) -> str | None:
    return article_context(comment.thread.title, comment.thread.lead) if comment.thread else None


def _action(scores: Scores | None, policy: Policy, context: Context) -> str:
    return FAILED if scores is None else decide(scores, policy, context).action
