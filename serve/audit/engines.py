"""Engines score the parts of an audit: in this process, in several processes, or on a Ray cluster.

An engine takes jobs as it has room for them and returns each when it is done, in any order.
"""

import logging
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

from belowline.model import ModelError, Policy
from belowline.serve.active.files import load_with_digest
from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.score_part import Job, ScoredPart, score_part
from belowline.serve.scoring.child_process import follow_parent
from belowline.serve.scoring.fault_isolation import describe
from belowline.serve.scoring.pipeline import ModerationPipeline

CORES_PER_PROCESS = 8
"""Python code takes about a twentieth of a comment's time, and runs on one core of a process at a time."""
_TRIES_OF_RAY = 3
Engine = Callable[[Iterable[Job]], Iterator[ScoredPart]]


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """Everything that another process needs to load the same pipeline."""

    model: Path
    policy: Policy
    threads: int
    identity: Mapping[str, str]
    second: Path | None = None

    def pipeline(self) -> ModerationPipeline:
        """The pipeline; raises ModelError if a model differs from the audit's."""
        scorer, digest = load_with_digest(self.model, self.threads, self.second)
        pipeline = ModerationPipeline(scorer, self.policy, digest=digest)
        if pipeline.identity != self.identity:
            both = " and ".join(str(path) for path in (self.model, self.second) if path)
            raise ModelError(f"{both}: not the audit's model; put the same one on every machine")
        return pipeline


def run_here(pipeline: ModerationPipeline, jobs: Iterable[Job]) -> Iterator[ScoredPart]:
    """Score one job after the other in this process."""
    for job in jobs:
        yield score_part(pipeline, job)


def run_in_processes(spec: PipelineSpec, processes: int, jobs: Iterable[Job]) -> Iterator[ScoredPart]:
    """Score in several processes of this machine; raises AuditError if one of them is killed."""
    # A ProcessPoolExecutor waits forever for the rest of a result whose process is killed while it sends it.
    waiting = iter(jobs)
    first = list(islice(waiting, processes))
    workers: dict[Connection, BaseProcess] = {}
    try:
        workers.update(_start_process(spec) for _ in first)
        for pipe, job in zip(workers, first, strict=True):
            _send(pipe, job)
        following, busy = next(waiting, None), list(workers)
        while busy:
            for pipe in cast("list[Connection]", wait(busy)):
                scored = _received(pipe)
                if following is None:
                    busy.remove(pipe)
                else:
                    _send(pipe, following)
                yield scored
                following = next(waiting, None)
    finally:
        for process in workers.values():  # after an interruption the next run repeats their jobs
            process.terminate()
            process.join()


def _start_process(spec: PipelineSpec) -> tuple[Connection, BaseProcess]:
    spawn = multiprocessing.get_context("spawn")  # threads of onnxruntime do not survive a fork
    pipe, end = spawn.Pipe()
    process = spawn.Process(target=_score_jobs, args=(spec, end), daemon=True)
    process.start()
    end.close()  # only the process has this end, so the pipe ends with the process
    return pipe, process


def _score_jobs(spec: PipelineSpec, pipe: Connection) -> None:
    """Run in a process of ``run_in_processes``: answer each job, or send the error that ends the process."""
    follow_parent()
    try:
        pipeline = spec.pipeline()
        while True:
            pipe.send(score_part(pipeline, pipe.recv()))
    except EOFError:
        return  # the parent ended
    except Exception as error:
        pipe.send(error)


def _send(pipe: Connection, job: Job) -> None:
    try:
        pipe.send(job)
    except OSError:
        _received(pipe)  # raises the error that ended the process


def _received(pipe: Connection) -> ScoredPart:
    try:
        scored = pipe.recv()
    except (EOFError, OSError) as error:
        raise AuditError(
            "a scoring process was killed (out of memory?); run the same command again with fewer --processes"
        ) from error
    if isinstance(scored, Exception):
        raise scored
    return cast(ScoredPart, scored)


def run_on_ray(
    spec: PipelineSpec, workers: int | None, address: str | None, jobs: Iterable[Job]
) -> Iterator[ScoredPart]:
    """Score on a Ray cluster, through Ray Data; the model directory has the same path on all of its machines.

    Raises AuditError if Ray is not installed or the cluster does not answer.
    """
    ray = _ray(address)
    size = workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // spec.threads)
    worker = ray.remote(num_cpus=spec.threads, max_restarts=_TRIES_OF_RAY, max_task_retries=_TRIES_OF_RAY)(
        _RayWorker
    )
    pool = ray.util.ActorPool([worker.remote(spec) for _ in range(size)])
    for job in jobs:
        # A further job would only wait in the cluster's memory.
        if not pool.has_free():
            yield pool.get_next_unordered()
        pool.submit(lambda actor, job: actor.score.remote(job), job)
    while pool.has_next():
        yield pool.get_next_unordered()


class _RayWorker:
    """Worker process of a Ray cluster."""

    def __init__(self, spec: PipelineSpec) -> None:
        self._pipeline = spec.pipeline()

    def score(self, job: Job) -> ScoredPart:
        """The scored rows of ``job``."""
        return score_part(self._pipeline, job)


def _ray(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise AuditError("Ray is not installed; run: pip install 'belowline[ray]'") from None
    if not ray.is_initialized():
        _check_reachable(address or os.environ.get("RAY_ADDRESS", ""))
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    return ray


def _check_reachable(address: str) -> None:
    """Raise AuditError within seconds; Ray itself retries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise AuditError(f"no Ray cluster at {address} ({describe(error)}); check --address") from None
