"""Promoting a model that is proven to be better, and going back: checked before anything changes, recorded when it does."""

import getpass
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Row

from belowline.model import BelowlineError, Scorer
from belowline.model.directory import read_config
from belowline.serve.active import model_history as models
from belowline.serve.active import policy_history as policies
from belowline.serve.active.active import pair_of
from belowline.serve.active.files import check_scores, digest_of, keep_model, load_whole, models_dir
from belowline.serve.active.model_history import Model
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database
from belowline.serve.store.refusal import Refusal

_LONGEST_VERSION = 100


class PromotionRefused(BelowlineError):
    """The model in force stays; the message is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The model in force: its number in the store (0: the one of the settings), what it is, and where it lies."""

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
    """What ``belowline-train compare`` says of one candidate in ``compare.json``; both models by their digests."""

    baseline: str
    candidate: str
    passed: bool
    results: list[_Gate]


class _Comparison(BaseModel):
    gates: list[_Gates]


def model_in_force(database: Database, settings: Settings) -> InForce:
    """Which model counts; raises ModelError if that is the one of the settings and it cannot be read."""
    with database.read() as tx:
        row = models.in_force(tx)
    if row is not None:
        return InForce(row.id, row.version, row.digest, models_dir(settings) / row.folder)
    directory = settings.model_directory
    return InForce(0, read_config(directory).version, digest_of(directory), directory)


def promote(
    settings: Settings, database: Database, candidate: Path, compare: Path | None, reason: str | None
) -> Row[Any]:
    """Puts the model in ``candidate`` in force and returns its row in the store.

    Raises PromotionRefused unless the gates in ``compare`` passed for exactly this model against exactly the one in force; a ``reason``
    stands in for that and is kept. Nothing stands in for a model that does not load, score, and fit the policy: ModelError or PolicyError.
    """
    present, digest = model_in_force(database, settings), digest_of(candidate)
    if digest == present.digest:
        raise PromotionRefused(f"{candidate}: this model is in force already")
    gates = _gates_or_reason(compare, candidate, digest, present, reason)
    with database.read() as tx:
        policy = policies.newest(tx)
    version = _check(candidate, digest, settings, database)
    folder = models_dir(settings)
    first = None
    if present.number == 0:  # what the settings name may be gone when a rollback wants it
        kept = keep_model(folder, present.directory, present.version, present.digest)
        first = Model(present.version, present.digest, kept)
    model = Model(version, digest, keep_model(folder, candidate, version, digest))
    try:
        with database.write() as tx:
            policies.still(tx, policy)
            number = models.promote(
                tx, _who(), model, after=present.number, instead_of=first, gates=gates, reason=reason
            )
    except Refusal as refusal:
        raise PromotionRefused(refusal.detail) from None
    return _row(database, number)


def roll_back(settings: Settings, database: Database, reason: str | None) -> Row[Any]:
    """Puts the model before the one in force in force again, whether that one works or not, and returns its row in the store.

    Raises PromotionRefused where there is none; ModelError or PolicyError where the one before does not load, or fit the policy.
    """
    try:
        with database.read() as tx:
            present, target, policy = models.newest(tx), models.before(tx), policies.newest(tx)
        scorer = load_whole(models_dir(settings) / target.folder, target.digest, 1)
        pair_of(scorer, target.digest, settings.policy, database)
        with database.write() as tx:
            policies.still(tx, policy)
            return models.roll_back(tx, _who(), after=present, reason=reason)
    except Refusal as refusal:
        raise PromotionRefused(refusal.detail) from None


def _check(candidate: Path, digest: str, settings: Settings, database: Database) -> str:
    """That the model can serve; its version."""
    scorer = Scorer.load(candidate, threads=1)
    check_scores(scorer, candidate)
    pair_of(scorer, digest, settings.policy, database)
    if not 0 < len(scorer.version) <= _LONGEST_VERSION:
        raise PromotionRefused(
            f"{candidate}: its version has {len(scorer.version)} characters, 1 to {_LONGEST_VERSION} are kept; "
            "set version in the recipe and export it again"
        )
    return scorer.version


def _gates_or_reason(
    compare: Path | None, candidate: Path, digest: str, present: InForce, reason: str | None
) -> dict[str, Any]:
    """What is kept of the gates; raises PromotionRefused where they do not let the model pass and no reason is given."""
    try:
        if compare is None:
            raise PromotionRefused(
                f"{candidate}: give --compare compare.json with its gates (belowline-train compare "
                f"{present.directory} {candidate}), or --force-reason"
            )
        return _passed(compare, candidate, digest, present).model_dump()
    except PromotionRefused as refusal:
        if reason is None:
            raise
        return {"passed": False, "why": str(refusal)}


def _passed(compare: Path, candidate: Path, digest: str, present: InForce) -> _Gates:
    gates = _read(compare)
    own = [one for one in gates if one.candidate == digest]
    if not own:
        raise PromotionRefused(
            f"{compare}: no gates of {candidate} (digest {digest[:12]}); compare the very files that you promote"
        )
    fitting = [one for one in own if one.baseline == present.digest]
    if not fitting:
        raise PromotionRefused(
            f"{compare}: it was compared with the model {own[0].baseline[:12]}, but {present.name} is in force; "
            f"compare it with {present.directory}"
        )
    failed = [gate for gate in fitting[-1].results if not gate.passed]
    if failed or not fitting[-1].passed or not fitting[-1].results:
        why = "; ".join(f"{gate.name}: {gate.why}" for gate in failed) or "none was checked"
        raise PromotionRefused(f"{compare}: gates refuse {candidate}: {why}; or give --force-reason")
    return fitting[-1]


def _read(compare: Path) -> list[_Gates]:
    try:
        return _Comparison.model_validate(json.loads(compare.read_text("utf-8"))).gates
    except OSError as error:
        raise PromotionRefused(
            f"{compare}: cannot be read ({error.strerror}); name the compare.json of the comparison"
        ) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "(all)"
        raise PromotionRefused(
            f"{compare}: field {field}: {first['msg']}; compare with --gates again"
        ) from None
    except ValueError as error:  # neither JSON nor UTF-8
        raise PromotionRefused(f"{compare}: not JSON ({error}); compare again") from None


def _row(database: Database, number: int) -> Row[Any]:
    with database.read() as tx:
        row = models.read(tx, number)
    if row is None:
        raise RuntimeError("a model that was promoted is not in the store")
    return row


def _who() -> str:
    """Who gives the command, by the name of their account on this machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in containers
        name = str(os.getuid())
    return f"{name} (command line)"[:120]
