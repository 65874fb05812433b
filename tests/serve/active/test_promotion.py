"""Promotion and rollback: refusals, records, and state after a kill."""

import json
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from belowline.model import ModelError, PolicyError
from belowline.model.digest import model_digest
from belowline.serve.active import command as models_command
from belowline.serve.active import model_history as models
from belowline.serve.active import policy_history as policies
from belowline.serve.active.files import load_whole
from belowline.serve.active.loading import active_at_start
from belowline.serve.active.promotion import PromotionRefused, active_model, promote
from belowline.serve.store.database import Database
from belowline.serve.store.refusal import Refusal
from tests.conftest import ROOT
from tests.support.model_world import World, damage, without
from tests.support.tiny_model import build_tiny_model

HOLDS_PROFANITY = "[thresholds.profanity]\nhold = 0.5\n"


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    made = World.of(tmp_path, database_url)
    yield made
    made.database.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[World]:
    made = World.of(tmp_path)
    yield made
    made.database.close()


def why_refused(world: World, compare: Path | None, candidate: Path | None = None) -> str:
    with pytest.raises(PromotionRefused) as refused:
        promote(world.settings, world.database, candidate or world.new, compare, None)
    assert world.in_force is None
    assert not (world.folder / "belowline-models").exists()
    return str(refused.value)


def test_a_candidate_that_passed_is_in_force_and_the_way_back_is_kept(world: World) -> None:
    row = world.promote()
    assert (row.kind, row.version, row.digest) == ("promote", "2.0-new", model_digest(world.new))
    assert row.gates["passed"]
    assert row.gates["results"][0]["name"] == "slice_loss"
    assert row.actor.endswith("(command line)")
    assert world.history == [("begin", "1.0-old", None), ("promote", "2.0-new", 1)]
    shutil.rmtree(world.old)
    back = world.roll_back("it held too much")
    assert (back.version, back.reason) == ("1.0-old", "it held too much")
    load_whole(world.folder / "belowline-models" / back.folder, back.digest)
    with pytest.raises(Refusal):
        world.roll_back()


def test_rolling_back_goes_along_what_was_promoted(world: World) -> None:
    world.promote()
    third = build_tiny_model(world.folder / "third", version="3.0", seed=9)
    world.promote(third)
    assert world.roll_back().version == "2.0-new"
    world.promote(third)
    assert [world.roll_back().version for _ in range(2)] == ["2.0-new", "1.0-old"]
    assert [row[:2] for row in world.history] == [
        ("begin", "1.0-old"),
        ("promote", "2.0-new"),
        ("promote", "3.0"),
        ("rollback", "2.0-new"),
        ("promote", "3.0"),
        ("rollback", "2.0-new"),
        ("rollback", "1.0-old"),
    ]


def test_without_gates_of_these_very_models_it_is_refused(local: World) -> None:
    third = build_tiny_model(local.folder / "third", version="3.0", seed=9)
    assert "give --compare" in why_refused(local, None)
    assert "cannot be read" in why_refused(local, local.folder / "none.json")
    assert "no gates of" in why_refused(local, local.compared(local.old, third))
    assert "1.0-old" in why_refused(local, local.compared(third, local.new))
    failed = [{"name": "bias_gap", "passed": False, "why": "hate, all: 0.2 is more than 0.15"}]
    assert "bias_gap: hate, all" in why_refused(local, local.compared(local.old, local.new, results=failed))
    assert "gates refuse" in why_refused(local, local.compared(local.old, local.new, passed=False))
    assert "gates refuse" in why_refused(local, local.compared(local.old, local.new, results=[]))
    assert "already" in why_refused(local, None, local.old)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"gates": [{"candidate": 1}]}', "\udcff"])
def test_what_is_no_comparison_is_refused_in_one_line(local: World, content: str) -> None:
    file = local.folder / "compare.json"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert "\n" not in why_refused(local, file)


def test_a_reason_stands_in_for_the_gates_and_is_kept(local: World) -> None:
    failed = [{"name": "bias_gap", "passed": False, "why": "0.2 is more than 0.15"}]
    compare = local.compared(local.old, local.new, results=failed)
    row = promote(local.settings, local.database, local.new, compare, "the gap is measured on 12 rows")
    assert row.reason == "the gap is measured on 12 rows"
    assert not row.gates["passed"]
    assert "bias_gap" in row.gates["why"]
    [log] = [one for one in _audit_log(local.database) if one["what"] == "promote model"]
    assert log["details"] == {"reason": "the gap is measured on 12 rows"}


def _audit_log(database: Database) -> list[dict[str, Any]]:
    from belowline.serve.store.accounts import audit_trail

    with database.read() as tx:
        return [dict(row._mapping) for row in audit_trail(tx, 10)]


def test_nothing_stands_in_for_a_model_that_cannot_serve(local: World) -> None:
    reason = "it is urgent"
    for name in ("model.onnx", "tokenizer.json", "config.json"):
        broken = shutil.copytree(local.new, local.folder / f"broken {name}")
        (broken / name).write_bytes(b"\x00 not it")
        with pytest.raises(ModelError, match="corrupt"):
            promote(local.settings, local.database, broken, None, reason)
    with pytest.raises(ModelError, match="cannot be read"):
        promote(local.settings, local.database, local.folder / "nowhere", None, reason)
    config = json.loads((local.new / "config.json").read_text("utf-8"))
    verbose = shutil.copytree(local.new, local.folder / "verbose")
    (verbose / "config.json").write_text(json.dumps(config | {"version": "v" * 101}), "utf-8")
    with pytest.raises(PromotionRefused, match="101 characters"):
        promote(local.settings, local.database, verbose, None, reason)
    with pytest.raises(ModelError, match="no probability"):
        promote(
            local.settings, local.database, without_numbers(local.new, local.folder / "nan"), None, reason
        )
    assert local.in_force is None


def without_numbers(directory: Path, target: Path) -> Path:
    """The same model with NaN weights, as after a diverged training."""
    copied = shutil.copytree(directory, target)
    network = onnx.load(str(copied / "model.onnx"))
    for weights in network.graph.initializer:
        if weights.name == "labels_w":
            shape = numpy_helper.to_array(weights).shape
            weights.CopyFrom(numpy_helper.from_array(np.full(shape, np.nan, np.float32), weights.name))
    onnx.save(network, str(copied / "model.onnx"))
    return copied


def test_a_model_without_a_label_of_the_policy_is_refused(local: World) -> None:
    with local.database.write() as tx:
        policies.replace(tx, "adam", HOLDS_PROFANITY, None, 0)
    blind = without(local.new, "profanity", local.folder / "blind")
    with pytest.raises(PolicyError, match="profanity"):
        promote(local.settings, local.database, blind, None, "it is urgent")
    assert local.in_force is None


def test_two_at_once_do_not_overtake_each_other(world: World) -> None:
    model = models.Model("9", "9" * 64, "nine")
    with pytest.raises(Exception, match="changed meanwhile"), world.database.write() as tx:
        models.promote(tx, "ann", model, after=7, instead_of=None, gates={}, reason=None)
    world.promote()
    with pytest.raises(Exception, match="changed meanwhile"), world.database.write() as tx:
        models.roll_back(tx, "ann", after=1, reason=None)
    assert len(world.history) == 2


def test_a_damaged_model_is_left_by_rolling_back_but_not_returned_to(local: World) -> None:
    row = local.promote()
    damage(local.folder / "belowline-models" / row.folder)
    assert local.roll_back().version == "1.0-old"
    third = build_tiny_model(local.folder / "third", version="3.0", seed=9)
    again = local.promote(local.new)  # copied again over the damaged one
    load_whole(local.folder / "belowline-models" / again.folder, again.digest)
    local.promote(third)
    damage(local.folder / "belowline-models" / again.folder)
    with pytest.raises(ModelError, match="digest"):
        local.roll_back()
    assert (local.in_force or row).version == "3.0"


@pytest.mark.slow
def test_kills_in_the_middle_leave_a_store_that_serves_and_can_be_changed(local: World) -> None:
    drawn = random.Random(20261126)
    compare = local.compared(local.old, local.new)
    script = (
        "import sys; from pathlib import Path; from tests.support.promotion_victim import victim; "
        "victim(*map(Path, sys.argv[1:]))"
    )
    seen = set()
    for _ in range(6):
        command = [sys.executable, "-c", script, *map(str, (local.folder, local.new, compare))]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            death = threading.Timer(drawn.uniform(0, 0.12), process.kill)
            death.start()
            process.stdout.read()
            seen.add(process.wait())
            death.join()
        found = active_at_start(local.settings, local.database)
        row = local.in_force
        assert found.behind is None
        assert found.pipeline.scorer.version == ("1.0-old" if row is None else row.version)
        if row is not None:
            local.roll_back()
            with local.database.write() as tx:
                tx.exec_driver_sql("DELETE FROM models")
            shutil.rmtree(local.folder / "belowline-models")
    assert -9 in seen
    assert local.promote().version == "2.0-new"
    names = [path.name for path in (local.folder / "belowline-models").iterdir()]
    assert sorted(name for name in names if name != ".lock") == sorted(
        f"{version}-{model_digest(path)[:12]}"
        for version, path in (("1.0-old", local.old), ("2.0-new", local.new))
    )


def test_the_commands_say_what_is_in_force_and_where(
    local: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("database_url", "models_dir", "model_dir"):
        monkeypatch.setenv(f"BELOWLINE_{name.upper()}", str(getattr(local.settings, name)))
    monkeypatch.setenv("COLUMNS", "250")
    models_command.list_command()
    assert f"in {local.old}" in capsys.readouterr().out
    models_command.promote_command(local.new, local.compared(local.old, local.new), None)
    assert "2.0-new" in capsys.readouterr().out
    models_command.rollback_command("a test")
    models_command.list_command()
    told = capsys.readouterr().out
    assert active_model(local.database, local.settings).name in told
    assert all(word in told for word in ("begin", "promote", "passed", "rollback", "a test"))
    models_command.promote_command(Path("small"), None, "by its name")
    assert "-small" in capsys.readouterr().out
