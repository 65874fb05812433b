"""belowline-train tune: from a file of decisions to a proposed policy, or to one line with the reason for none."""

import re
import tomllib
from collections.abc import Sequence
from datetime import date
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from belowline.data.comment import ReadError
from belowline.data.decisions import Decided, read_decided
from belowline.model import Policy, PolicyError, ScoreInput, Scorer, draw
from belowline.training.errors import TuneError
from belowline.training.measure.rows import predictions
from belowline.training.tune import decisions as module
from belowline.training.tune.choice import Choice, Goal
from belowline.training.tune.decisions import gather_decisions
from belowline.training.tune.tune import tune
from tests.support.tiny_model import LABELS
from tests.support.tune_world import START, World, decided, write_decisions

DAY = date(2026, 11, 26)
POLICY = 'version = "ours"\nlabels = ["spam", "hate"]\nunknown_language = "publish"\n[thresholds.spam]\nhold = 0.45\n'
SCORES: dict[str, dict[str, float]] = {}
GOAL = Goal(precision=0.6, reject_precision=0.7, comments_per_day=2000)


@pytest.fixture(autouse=True)
def known_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score each comment as its line in the file says, by a number in its text."""

    def of_file(_scorer: Scorer, texts: Sequence[str], *_: object) -> dict[str, np.ndarray]:
        return {label: np.array([SCORES[text][label] for text in texts]) for label in LABELS}

    def read(path: Path) -> list[Decided]:
        rows = list(read_decided(path))
        SCORES.update({row.text: row.scores for row in rows})
        return rows

    monkeypatch.setattr(module, "read_decided", read)
    monkeypatch.setattr(module, "predictions", of_file)


@pytest.fixture(scope="module")
def decisions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = World(2, 12_000).seen({"spam": 0.45}, 0.05)
    return write_decisions(tmp_path_factory.mktemp("decisions") / "d.jsonl", rows)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY, "utf-8")
    return path


def run(
    files: Path | list[Path], out: Path, model: Path, goal: Goal = GOAL, **options: object
) -> tuple[list[Choice], str]:
    shown = StringIO()
    given = files if isinstance(files, list) else [files]
    options = {"today": DAY, **options}
    found = tune(given, out, goal, Console(file=shown, width=300), model=model, **options)  # type: ignore[arg-type]
    return found, shown.getvalue()


def refusal(files: Path | list[Path], out: Path, model: Path, goal: Goal = GOAL, **options: object) -> str:
    """Return the one-line error; check that nothing is written."""
    before = sorted(out.parent.iterdir()) if out.parent.is_dir() else []
    with pytest.raises((TuneError, PolicyError, ReadError)) as caught:
        run(files, out, model, goal, **options)
    assert "\n" not in str(caught.value)
    assert (sorted(out.parent.iterdir()) if out.parent.is_dir() else []) == before
    return str(caught.value)


def test_a_policy_is_proposed_and_explained(
    tmp_path: Path, decisions: Path, policy: Path, tiny_model_dir: Path, tiny_scorer: Scorer
) -> None:
    out = tmp_path / "proposed.toml"
    choices, _ = run(decisions, out, tiny_model_dir, policy=policy)
    spam, hate = choices
    loaded = Policy.load(out, tiny_scorer.thresholds)
    assert loaded.version == "ours+tuned-2026-11-26"
    assert loaded.thresholds == {"spam": spam.proposed, "hate": hate.present}
    assert spam.proposed.hold is not None
    assert spam.proposed.reject is not None
    assert 0.5 < spam.proposed.hold < spam.proposed.reject
    comment = out.read_text("utf-8")
    for part in ("for precision 0.6", "model 0.0.1-tiny, 2026-11-26"):
        assert part in comment
    assert hate.reason
    assert hate.decided == 0
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".toml"] == []


def test_the_same_decisions_give_the_same_files(
    tmp_path: Path, decisions: Path, policy: Path, tiny_model_dir: Path
) -> None:
    run(decisions, tmp_path / "a.toml", tiny_model_dir, policy=policy)
    run([decisions, decisions], tmp_path / "b.toml", tiny_model_dir, policy=policy)
    assert (tmp_path / "a.toml").read_bytes() == (tmp_path / "b.toml").read_bytes()


def test_reviews_of_a_day(tmp_path: Path, decisions: Path, policy: Path, tiny_model_dir: Path) -> None:
    goal = Goal(per_day=300, comments_per_day=2000)
    _, shown = run(decisions, tmp_path / "p.toml", tiny_model_dir, goal, policy=policy)
    [needed] = re.findall(r"about ([\d,]+) reviews a day by held-out decisions", shown)
    assert 200 < int(needed) < 400


def test_scores_are_the_models(
    tmp_path: Path, tiny_scorer: Scorer, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "predictions", predictions)
    file = write_decisions(
        tmp_path / "d.jsonl", [decided(n, {"spam": n % 2}, {"spam": 0.9}) for n in range(6)]
    )
    policy = Policy.load(None, tiny_scorer.thresholds)
    found = gather_decisions([file], tiny_model_dir, tiny_scorer.config, policy, Console(file=StringIO()))
    texts = [ScoreInput(row.text) for row in found.rows]
    wanted = [scores.probabilities["spam"] for scores in tiny_scorer.score(texts)]
    assert list(found.probabilities["spam"]) == wanted


def test_what_stands_for_nothing_is_left_out_and_told(
    tmp_path: Path, tiny_scorer: Scorer, tiny_model_dir: Path
) -> None:
    policy = Policy.parse(
        POLICY + '[sites."own.example".thresholds.hate]\nhold = 0.3\n', "p", tiny_scorer.thresholds
    )
    rows = [
        decided(1, {"spam": 1, "shouting": 1}, {}),
        decided(2, {"spam": 1}, {}, origin="feedback"),
        decided(3, {"spam": 0}, {}, weight=None, sampled="random"),
        decided(4, {"spam": 0}, {}, site="own.example"),
    ]
    later = decided(1, {"spam": 0}, {}, decided_at=START.replace(day=9))
    files = [write_decisions(tmp_path / "d.jsonl", rows), write_decisions(tmp_path / "e.jsonl", [later])]
    found = gather_decisions(files[:1], tiny_model_dir, tiny_scorer.config, policy, Console(file=StringIO()))
    assert [row.row for row in found.rows] == ["paper.example:1"]
    assert [note.split(": ")[0] for note in found.notes[:3]] == ["left out"] * 3
    assert "shouting" in found.notes[3]
    for order in (files, files[::-1]):
        both = gather_decisions(order, tiny_model_dir, tiny_scorer.config, policy, Console(file=StringIO()))
        assert list(both.targets("spam")) == [0.0]


@pytest.mark.parametrize(
    ("label", "needed"),
    [(None, "72 more harmful"), (0.0, "72 more harmful"), (1.0, "negatives"), (0.5, "52 more harmful")],
)
def test_a_label_without_evidence_stays(
    tmp_path: Path, tiny_model_dir: Path, label: float | None, needed: str
) -> None:
    def said(number: int) -> dict[str, float]:
        if label is None:
            return {}
        return {"hate": float(number < 20) if label == 0.5 else label}

    rows = [decided(n, said(n), {"hate": 0.9}, sampled="random") for n in range(200)]
    file, policy = write_decisions(tmp_path / "d.jsonl", rows), tmp_path / "policy.toml"
    policy.write_text('version = "ours"\nlabels = ["hate"]\n', "utf-8")
    shown = StringIO()
    with pytest.raises(TuneError, match="nothing was written"):
        tune(
            [file],
            tmp_path / "p.toml",
            Goal(precision=0.9),
            Console(file=shown, width=300),
            model=tiny_model_dir,
            policy=policy,
        )
    assert needed in " ".join(re.findall(r"[\w,]+", shown.getvalue().replace("│", " ")))
    assert not (tmp_path / "p.toml").exists()


def test_a_promise_that_the_other_half_rules_out_is_flagged(tmp_path: Path, tiny_model_dir: Path) -> None:
    """Harmful in the half that chooses, harmless in the other: unrealistic, but it must be detected."""

    def harm(number: int) -> float:
        return float(draw(f"tune thread {number // 2}") < 0.5 or number % 7 == 0)

    rows = [decided(n, {"spam": harm(n)}, {"spam": 0.5 + n / 1000}, sampled="random") for n in range(400)]
    file = write_decisions(tmp_path / "d.jsonl", rows)
    choices, shown = run(file, tmp_path / "p.toml", tiny_model_dir, Goal(precision=0.9))
    spam = next(one for one in choices if one.label == "spam")
    assert spam.missed
    assert "MISSES" in shown
    assert "MISSES" in (tmp_path / "p.toml").read_text("utf-8")


def test_files_that_are_there_stay_without_force(
    tmp_path: Path, decisions: Path, policy: Path, tiny_model_dir: Path
) -> None:
    told = refusal(decisions, policy, tiny_model_dir, policy=policy)
    assert "active policy" in told
    (tmp_path / "p.toml").write_text("mine", "utf-8")
    assert "exists" in refusal(decisions, tmp_path / "p.toml", tiny_model_dir, policy=policy)
    run(decisions, policy, tiny_model_dir, policy=policy, force=True)
    assert tomllib.loads(policy.read_text("utf-8"))["version"] == "ours+tuned-2026-11-26"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("goal", "option"),
    [
        (Goal(), "--per-day"),
        (Goal(precision=0.9, per_day=5, comments_per_day=9), "--per-day"),
        (Goal(per_day=5), "--comments-per-day"),
        (Goal(per_day=5, comments_per_day=9, reject_precision=0.9), "--reject-precision"),
        (Goal(precision=1.0), "--precision 1"),
        (Goal(precision=0.9, reject_precision=0.8), "--reject-precision"),
    ],
)
def test_a_goal_that_cannot_be(
    tmp_path: Path, decisions: Path, tiny_model_dir: Path, goal: Goal, option: str
) -> None:
    assert option in refusal(decisions, tmp_path / "p.toml", tiny_model_dir, goal)


def test_bad_input_is_one_line(tmp_path: Path, decisions: Path, policy: Path, tiny_model_dir: Path) -> None:
    out = tmp_path / "p.toml"
    empty = write_decisions(tmp_path / "empty.jsonl", [])
    assert "empty.jsonl" in refusal(empty, out, tiny_model_dir)
    assert "absent.jsonl" in refusal(tmp_path / "absent.jsonl", out, tiny_model_dir)
    assert "absent.toml" in refusal(decisions, out, tiny_model_dir, policy=tmp_path / "absent.toml")
    assert "correct --out" in refusal(decisions, tmp_path / "nowhere" / "p.toml", tiny_model_dir)
    assert "correct --out" in refusal(decisions, tmp_path / "p.json", tiny_model_dir)
