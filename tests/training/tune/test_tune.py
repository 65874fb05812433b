"""belowline-train tune: from a file of decisions to a proposed policy, or one line that says why not."""

import json
import tomllib
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from belowline.data.comment import ReadError
from belowline.model import Policy, PolicyError, ScoreInput, Scorer, draw
from belowline.training.errors import TuneError
from belowline.training.tune.choice import Goal
from belowline.training.tune.decisions import gather_decisions
from belowline.training.tune.report import Tuning
from belowline.training.tune.tune import tune
from tests.support.tune_world import START, World, decided, write_decisions

DAY = date(2026, 11, 26)
POLICY = 'version = "ours"\nlabels = ["spam", "hate"]\nunknown_language = "publish"\n[thresholds.spam]\nhold = 0.45\n'
GOAL = Goal(precision=0.6, reject_precision=0.7, comments_per_day=2000)


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
) -> tuple[Tuning, str]:
    shown = StringIO()
    given = files if isinstance(files, list) else [files]
    options = {"kept_scores": True, "today": DAY, **options}
    found = tune(given, out, goal, Console(file=shown, width=200), model=model, **options)  # type: ignore[arg-type]
    return found, shown.getvalue()


def refusal(files: Path | list[Path], out: Path, model: Path, goal: Goal = GOAL, **options: object) -> str:
    """What is said, in one line, while nothing is written."""
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
    tuning, shown = run(decisions, out, tiny_model_dir, policy=policy)
    spam, hate = tuning.choices
    loaded = Policy.load(out, tiny_scorer.thresholds)
    assert loaded.version == "ours+tuned-2026-11-26"
    assert loaded.thresholds == {"spam": spam.proposed, "hate": hate.present}
    assert spam.proposed.hold is not None
    assert spam.proposed.reject is not None
    assert 0.5 < spam.proposed.hold < spam.proposed.reject
    comment = out.read_text("utf-8")
    for part in (
        "for precision 0.6 (0.7 to reject); hold has precision 0.",
        "model 0.0.1-tiny, 2026-11-26",
        "stays: ",
    ):
        assert part in comment.replace("\n# tune: ", " ")
    assert f"{len(decisions.read_text().splitlines()) - 1:,} kept in the file" in shown
    assert "hate stays: no decision that counts says anything of it" in shown
    assert (tmp_path / "proposed.png").read_bytes().startswith(b"\x89PNG")


def test_the_json_has_curves_flips_and_no_text(
    tmp_path: Path, decisions: Path, policy: Path, tiny_model_dir: Path
) -> None:
    tuning, shown = run(decisions, tmp_path / "p.toml", tiny_model_dir, policy=policy)
    written = (tmp_path / "p.json").read_text("utf-8")
    content = json.loads(written)
    spam = content["labels"]["spam"]
    assert spam["proposed"] == tuning.choices[0].proposed.model_dump()
    thresholds = [one["threshold"] for one in spam["curve"]]
    assert thresholds == sorted(thresholds, reverse=True)
    assert spam["stated"]["precision"]["low"] < spam["stated"]["precision"]["value"]
    # The threshold rises, so what is held falls, and each row that flips lay between.
    (change,) = content["effect"]["flips"]
    assert change == "hold > publish"
    flipped = {name for rows in content["effect"]["flips"][change].values() for name in rows}
    hold = tuning.choices[0].proposed.hold or 1.0
    lines = [json.loads(line) for line in decisions.read_text("utf-8").splitlines()[1:]]
    assert flipped == {line["row"] for line in lines if 0.45 <= line["scores"]["spam"] < hold}
    assert f"hold > publish: {len(flipped):,} of" in shown
    assert content["effect"]["proposed"]["a_day"][0] < content["effect"]["present"]["a_day"][0]
    assert "new bridge" not in written


def test_the_same_decisions_give_the_same_files(
    tmp_path: Path, decisions: Path, policy: Path, tiny_model_dir: Path
) -> None:
    run(decisions, tmp_path / "a.toml", tiny_model_dir, policy=policy)
    run([decisions, decisions], tmp_path / "b.toml", tiny_model_dir, policy=policy)
    for ending in (".toml", ".json", ".png"):
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_reviews_of_a_day(tmp_path: Path, decisions: Path, policy: Path, tiny_model_dir: Path) -> None:
    goal = Goal(per_day=300, comments_per_day=2000)
    tuning, shown = run(decisions, tmp_path / "p.toml", tiny_model_dir, goal, policy=policy)
    assert tuning.effect.after.a_day is not None
    assert tuning.effect.after.a_day[1] <= 300
    assert not tuning.over_budget
    assert tuning.effect.after.caught.value > tuning.effect.before.caught.value
    assert "300 reviews of 2,000 comments a day" in shown


def test_scores_are_the_models_unless_kept_ones_are_asked_for(
    tmp_path: Path, tiny_scorer: Scorer, tiny_model_dir: Path
) -> None:
    rows = [decided(n, {"spam": n % 2}, {"spam": 0.9}, sampled="random") for n in range(6)]
    rows += [decided(9, {"spam": 1}, {"spam": 0.9}, model="older")]
    file = write_decisions(tmp_path / "d.jsonl", rows)
    policy = Policy.load(None, tiny_scorer.thresholds)
    fresh, kept = (
        gather_decisions([file], tiny_model_dir, tiny_scorer.config, policy, kept, Console(file=StringIO()))
        for kept in (False, True)
    )
    wanted = [
        score.probabilities["spam"]
        for score in tiny_scorer.score([ScoreInput(row.text) for row in fresh.rows])
    ]
    assert list(fresh.probabilities["spam"]) == wanted
    assert fresh.notes == ["scores: 7 of model 0.0.1-tiny now"]
    assert list(kept.probabilities["spam"]) == [0.9] * 6 + wanted[-1:]
    assert kept.notes == ["scores: 1 of model 0.0.1-tiny now, 6 kept in the file"]


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
    found = gather_decisions(
        files[:1], tiny_model_dir, tiny_scorer.config, policy, True, Console(file=StringIO())
    )
    assert [row.row for row in found.rows] == ["paper.example:1"]
    assert found.notes[:4] == [
        "left out: 1 of sites with thresholds of their own",
        "left out: 1 random draws of an unknown share",
        "left out: 1 told by callers, which stand for nothing but themselves",
        "label 'shouting' of 1 decisions is none that model 0.0.1-tiny knows; left out",
    ]
    for order in (files, files[::-1]):
        both = gather_decisions(
            order, tiny_model_dir, tiny_scorer.config, policy, True, Console(file=StringIO())
        )
        assert list(both.targets("spam")) == [0.0]


@pytest.mark.parametrize(
    ("label", "why"),
    [
        (None, "no decision that counts says anything of it; at least 72 more that are decided to be it"),
        (0.0, "none of 200 decided is harmful; at least 72 more that are decided to be it"),
        (1.0, "all 200 decided are harmful, none is known to be harmless; decide some that are not it"),
        (0.5, "20 harmful of 200 decided are too few; at least 52 more that are decided to be it"),
    ],
)
def test_a_label_without_evidence_stays(
    tmp_path: Path, tiny_model_dir: Path, label: float | None, why: str
) -> None:
    def said(number: int) -> dict[str, float]:
        if label is None:
            return {}
        return {"hate": float(number < 20) if label == 0.5 else label}

    rows = [decided(n, said(n), {"hate": 0.9}, sampled="random") for n in range(200)]
    file, policy = write_decisions(tmp_path / "d.jsonl", rows), tmp_path / "policy.toml"
    policy.write_text('version = "ours"\nlabels = ["hate"]\n', "utf-8")
    shown = StringIO()
    with pytest.raises(TuneError, match="no threshold would change; nothing was written"):
        tune(
            [file],
            tmp_path / "p.toml",
            Goal(precision=0.9),
            Console(file=shown, width=200),
            model=tiny_model_dir,
            policy=policy,
            kept_scores=True,
        )
    assert f"hate stays: {why}" in shown.getvalue()
    assert not (tmp_path / "p.toml").exists()


def test_a_promise_that_the_other_half_rules_out_is_flagged(tmp_path: Path, tiny_model_dir: Path) -> None:
    """Harmful where it is chosen, harmless in the other half: no world, but it must be seen."""

    def harm(number: int) -> float:
        return float(draw(f"tune thread {number // 2}") < 0.5 or number % 7 == 0)

    rows = [decided(n, {"spam": harm(n)}, {"spam": 0.5 + n / 1000}, sampled="random") for n in range(400)]
    file = write_decisions(tmp_path / "d.jsonl", rows)
    tuning, shown = run(file, tmp_path / "p.toml", tiny_model_dir, Goal(precision=0.9))
    spam = next(one for one in tuning.choices if one.label == "spam")
    assert spam.missed
    assert "spam MISSES its promise" in shown
    assert "MISSES its promise" in (tmp_path / "p.toml").read_text("utf-8").replace("\n# tune: ", " ")


def test_files_that_are_there_stay_without_force(
    tmp_path: Path, decisions: Path, policy: Path, tiny_model_dir: Path
) -> None:
    told = refusal(decisions, policy, tiny_model_dir, policy=policy)
    assert told == f"{policy}: is the policy in force; name another --out, or give --force to replace it"
    (tmp_path / "p.json").write_text("mine", "utf-8")
    assert "p.json: there already" in refusal(decisions, tmp_path / "p.toml", tiny_model_dir, policy=policy)
    run(decisions, policy, tiny_model_dir, policy=policy, force=True)
    assert tomllib.loads(policy.read_text("utf-8"))["version"] == "ours+tuned-2026-11-26"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("goal", "told"),
    [
        (Goal(), "ask for either --precision or --per-day"),
        (Goal(precision=0.9, per_day=5, comments_per_day=9), "ask for either --precision or --per-day"),
        (Goal(per_day=5), "--per-day needs --comments-per-day, how many comments come in"),
        (
            Goal(per_day=5, comments_per_day=9, reject_precision=0.9),
            "--reject-precision goes with --precision",
        ),
        (Goal(precision=1.0), "--precision 1 is not between 0 and 1; 1 itself cannot be promised"),
        (
            Goal(precision=0.9, reject_precision=0.8),
            "--reject-precision is below --precision; rejecting has to be surer than holding",
        ),
    ],
)
def test_a_goal_that_cannot_be(
    tmp_path: Path, decisions: Path, tiny_model_dir: Path, goal: Goal, told: str
) -> None:
    assert refusal(decisions, tmp_path / "p.toml", tiny_model_dir, goal) == told


def test_bad_input_is_one_line(tmp_path: Path, decisions: Path, policy: Path, tiny_model_dir: Path) -> None:
    out = tmp_path / "p.toml"
    empty = write_decisions(tmp_path / "empty.jsonl", [])
    assert "nothing to measure (it holds no decision)" in refusal(empty, out, tiny_model_dir)
    other = write_decisions(tmp_path / "other.jsonl", [decided(1, {}, {}, model=None)])
    assert refusal(other, out, tiny_model_dir) == (
        "no decision has scores of model 0.0.1-tiny kept; leave out --kept-scores"
    )
    assert "absent.jsonl: cannot be read" in refusal(tmp_path / "absent.jsonl", out, tiny_model_dir)
    assert "absent.toml: cannot be read" in refusal(
        decisions, out, tiny_model_dir, policy=tmp_path / "absent.toml"
    )
    assert "correct --out" in refusal(decisions, tmp_path / "nowhere" / "p.toml", tiny_model_dir)
    assert "correct --out" in refusal(decisions, tmp_path / "p.json", tiny_model_dir)
