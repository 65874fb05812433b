"""Promotes a model whose gates passed, and rolls back; everything is checked before anything changes."""

import getpass
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Row

from belowline.model import BelowlineError, Scorer, first_problem
from belowline.model.directory import read_config
from belowline.serve.active import model_history as models
from belowline.serve.active import policy_history as policies
from belowline.serve.active.active import pair_of
from belowline.serve.active.files import check_scores, digest_of, keep_model, load_whole, models_dir
from belowline.serve.active.model_history import Model
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database

_LONGEST_VERSION = 100


class PromotionRefused(BelowlineError):
    """The active model stays; the message is one line with the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """The active model: its number in the store (0: the model of the settings), version, digest and directory.

    A second model is a setting and no part of it.
    """

    number: int
    version: str
    digest: str
    directory: Path

    @property
    def name(self) -> str:
        """Version and the beginning of the digest."""
        return f"{self.version} ({self.digest[:12]})"


class _Gate(BaseModel):
    name: str
    passed: bool
    why: str = ""


class _Gates(BaseModel):
    """The gates of one candidate in the ``compare.json`` of ``belowline-train compare``; models are named by digest."""

    baseline: str
    candidate: str
    passed: bool
    results: list[_Gate]


class _Comparison(BaseModel):
    gates: list[_Gates]


def active_model(database: Database, settings: Settings) -> ActiveModel:
    """Returns the active model; raises ModelError if that is the model of the settings and it cannot be read."""
    with database.read() as tx:
        row = models.active(tx)
    if row is not None:
        return ActiveModel(row.id, row.version, row.digest, models_dir(settings) / row.folder)
    directory = settings.model_directory
    return ActiveModel(0, read_config(directory).version, digest_of(directory), directory)


def promote(
    settings: Settings, database: Database, candidate: Path, compare: Path | None, reason: str | None
) -> Row[Any]:
    """Makes the model in ``candidate`` the active one and returns its row in the store.

    Raises PromotionRefused unless the gates in ``compare`` passed for exactly this model against exactly the active
    one; a ``reason`` replaces this condition. Raises ModelError or PolicyError if the model does not load, score or fit
    the policy and the second model of the settings, and Refusal if the model or the policy changed meanwhile.
    """
    present, digest = active_model(database, settings), digest_of(candidate)
    if digest == present.digest:
        raise PromotionRefused(f"{candidate}: this model is active already")
    gates = _gates_or_reason(compare, candidate, digest, present, reason)
    with database.read() as tx:
        policy = policies.newest(tx)
    version = _check(candidate, settings, database)
    folder = models_dir(settings)
    first = None
    if present.number == 0:  # the model of the settings may be gone when a rollback needs it
        copied = keep_model(folder, present.directory, present.version, present.digest)
        first = Model(present.version, present.digest, copied)
    model = Model(version, digest, keep_model(folder, candidate, version, digest))
    with database.write() as tx:
        policies.still(tx, policy)
        return models.promote(
            tx, _account(), model, after=present.number, instead_of=first, gates=gates, reason=reason
        )


def roll_back(settings: Settings, database: Database, reason: str | None) -> Row[Any]:
    """Makes the previous model active, even if the active one does not work, and returns the new row in the store.

    Raises Refusal if there is no previous model; ModelError or PolicyError if it does not load, or fit the policy and
    the second model of the settings.
    """
    with database.read() as tx:
        present, target, policy = models.newest(tx), models.before(tx), policies.newest(tx)
    scorer = load_whole(models_dir(settings) / target.folder, target.digest, 1, settings.second_model_dir)
    pair_of(scorer, None, settings.policy, database)
    with database.write() as tx:
        policies.still(tx, policy)
        return models.roll_back(tx, _account(), after=present, reason=reason)


def _check(candidate: Path, settings: Settings, database: Database) -> str:
    """Checks that the model can serve, with the second model of the settings, and returns its own version."""
    scorer = Scorer.load(candidate, threads=1, second_look=settings.second_model_dir)
    check_scores(scorer, candidate)
    pair_of(scorer, None, settings.policy, database)
    if not 0 < len(scorer.version) <= _LONGEST_VERSION:
        raise PromotionRefused(
            f"{candidate}: its version has {len(scorer.version)} characters; 1 to {_LONGEST_VERSION} are allowed; "
            "set version in the recipe and export the model again"
        )
    return read_config(candidate).version


def _gates_or_reason(
    compare: Path | None, candidate: Path, digest: str, present: ActiveModel, reason: str | None
) -> dict[str, Any]:
    """Returns the gates for the history; raises PromotionRefused if they did not pass and there is no reason."""
    try:
        if compare is None:
            raise PromotionRefused(
                f"{candidate}: give --compare compare.json with its gates (belowline-train compare "
                f"{present.directory} {candidate} --corpora DIR), or --force-reason"
            )
        return _passed(compare, candidate, digest, present).model_dump()
    except PromotionRefused as refusal:
        if reason is None:
            raise
        return {"passed": False, "why": str(refusal)}


def _passed(compare: Path, candidate: Path, digest: str, present: ActiveModel) -> _Gates:
    of_candidate = [gates for gates in _read(compare) if gates.candidate == digest]
    if not of_candidate:
        raise PromotionRefused(
            f"{compare}: no gates of {candidate} (digest {digest[:12]}); compare exactly the files that you promote"
        )
    fitting = [gates for gates in of_candidate if gates.baseline == present.digest]
    if not fitting:
        raise PromotionRefused(
            f"{compare}: compares with the model {of_candidate[0].baseline[:12]}, but {present.name} is active; "
            f"compare with {present.directory}"
        )
    gates = fitting[-1]
    failed = [gate for gate in gates.results if not gate.passed]
    if failed or not gates.passed or not gates.results:
        why = "; ".join(f"{gate.name}: {gate.why}" for gate in failed) or "no gate was checked"
        raise PromotionRefused(f"{compare}: gates refuse {candidate}: {why}; or give --force-reason")
    return gates


def _read(compare: Path) -> list[_Gates]:
    try:
        return _Comparison.model_validate(json.loads(compare.read_text("utf-8"))).gates
    except OSError as error:
        why = f"cannot be read ({error.strerror}); name the compare.json of the comparison"
    except ValidationError as error:
        problem = first_problem(error)
        why = f"field {problem.field}: {problem.message}; compare again"
    except ValueError as error:  # neither JSON nor UTF-8
        why = f"not JSON ({error}); compare again"
    raise PromotionRefused(f"{compare}: {why}")


def _account() -> str:
    """Returns the name of the account that runs the command."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in containers
        name = str(os.getuid())
    return f"{name} (command line)"[:120]
