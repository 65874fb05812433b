"""Each engine gives the same bytes in any order; a failed engine reports it, and none outlives its parent."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from belowline.model import ModelError, Scorer
from belowline.serve.active.files import digest_of
from belowline.serve.audit.command import default_processes
from belowline.serve.audit.engines import Engine, PipelineSpec, run_here, run_in_processes, run_on_ray
from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.score_part import Job, ScoredPart
from belowline.serve.scoring.pipeline import ModerationPipeline
from tests.support.audit_jobs import DiesWhileItSends, EndsItsProcess, comment, jobs

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def pipeline(tiny_scorer: Scorer, tiny_model_dir: Path) -> ModerationPipeline:
    return ModerationPipeline.of(tiny_scorer, None, digest_of(tiny_model_dir))


@pytest.fixture
def spec(pipeline: ModerationPipeline, tiny_model_dir: Path) -> PipelineSpec:
    return PipelineSpec(tiny_model_dir, pipeline.policy, 1, pipeline.identity)


def done(engine: Engine, count: int = 9) -> dict[str, ScoredPart]:
    return {scored.part: scored for scored in engine(jobs(count))}


@pytest.mark.slow
def test_processes_give_the_same_bytes(pipeline: ModerationPipeline, spec: PipelineSpec) -> None:
    here = done(partial(run_here, pipeline))
    assert len(here) == 9
    assert all(scored.comments == scored.rows.count(b"\n") == 7 for scored in here.values())
    assert done(partial(run_in_processes, spec, 2)) == here


@pytest.mark.slow
def test_no_more_jobs_are_taken_than_there_is_room_for(spec: PipelineSpec) -> None:
    taken: list[str] = []

    def counted() -> Iterator[Job]:
        for job in jobs(40, 1):
            taken.append(job.part)
            yield job

    results = run_in_processes(spec, 2, counted())
    for number, _ in enumerate(results, 1):
        assert len(taken) <= number + 4
    assert len(taken) == 40


@pytest.mark.slow
def test_ray_gives_the_same_bytes(pipeline: ModerationPipeline, spec: PipelineSpec) -> None:
    ray = pytest.importorskip("ray", reason="ray is not installed")
    try:
        assert done(partial(run_on_ray, spec, 2, None)) == done(partial(run_here, pipeline))
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_ray_without_a_cluster_is_one_line(spec: PipelineSpec) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    with pytest.raises(AuditError, match=r"127\.0\.0\.1:1"):
        done(partial(run_on_ray, spec, 1, "127.0.0.1:1"))


def test_another_model_elsewhere_is_refused(
    pipeline: ModerationPipeline, spec: PipelineSpec, tiny_model_dir: Path, tmp_path: Path
) -> None:
    elsewhere = shutil.copytree(tiny_model_dir, tmp_path / "model")
    copied = replace(spec, model=elsewhere)
    assert copied.pipeline().identity == spec.pipeline().identity == pipeline.identity
    with (elsewhere / "tokenizer.json").open("a") as file:  # the same configuration
        file.write("\n")
    with pytest.raises(ModelError, match="not the audit's model"):
        copied.pipeline()


@pytest.mark.parametrize("part", [EndsItsProcess("000000.jsonl"), DiesWhileItSends("000000.jsonl")])
def test_a_process_that_is_killed_is_an_error(spec: PipelineSpec, part: str) -> None:
    with pytest.raises(AuditError, match="was killed"):
        list(run_in_processes(spec, 1, [Job(part, [comment("one")])]))


def test_an_error_of_a_process_is_raised(spec: PipelineSpec, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        list(run_in_processes(replace(spec, model=tmp_path), 1, jobs(1)))


PARENT = """
import sys, pickle, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, tests among them
from tests.support.audit_jobs import Job, Sleeps
from belowline.serve.audit.engines import run_in_processes
if __name__ == "__main__":
    spec = pickle.loads(bytes.fromhex(sys.argv[1]))
    import multiprocessing, threading, time
    def tell():
        while len(multiprocessing.active_children()) < 2: time.sleep(0.05)
        time.sleep(2)
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    threading.Thread(target=tell).start()
    list(run_in_processes(spec, 2, [Job(Sleeps(), []) for _ in range(4)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_their_parent(spec: PipelineSpec, tmp_path: Path, ended_by: int) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), pickle.dumps(spec).hex()]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.send_signal(ended_by)
        parent.wait(timeout=120)
    deadline = time.monotonic() + 60
    while any(alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in children)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_processes_come_by_eight_cores() -> None:
    assert [default_processes(cores) for cores in (1, 2, 8, 15, 16, 64)] == [1, 1, 1, 1, 2, 8]
