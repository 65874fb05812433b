"""Where the work of an audit is done: in this process, in several, or on a Ray cluster. Each engine runs the same functions."""

import logging
import multiprocessing
import os
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from belowline.model import BelowlineError, ModelError, Policy, Scorer
from belowline.serve.active.files import digest_of
from belowline.serve.audit.archive import ArchiveComment
from belowline.serve.scoring.child_process import follow_parent
from belowline.serve.scoring.fault_isolation import describe
from belowline.serve.scoring.pipeline import ModerationPipeline

CORES_PER_PROCESS = 8
"""Python itself takes about a twentieth of the time of a comment, and runs on one core of each process at a time."""
_JOBS_IN_WAVE = 64
"""Jobs for each worker between two starts of all workers."""


class EngineError(BelowlineError):
    """An engine cannot do its work; the message is one line."""


@dataclass(frozen=True, slots=True)
class Job:
    """Comments whose results make one part file, with the readings that are known of their texts (see copies.py)."""

    part: str
    comments: list[ArchiveComment]
    readings: Mapping[str, str] = field(default_factory=dict)


Work = Callable[[ModerationPipeline, Job], bytes]
Done = tuple[str, int, bytes]
"""Name of the part, how many comments it has, its content."""


class Engine(Protocol):
    """Does jobs; what is done comes in any order."""

    def run(self, work: Work, jobs: Iterable[Job]) -> Iterator[Done]:
        """Takes jobs as it has room for them, and gives back each when it is done."""
        ...


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """What a judge is made from where work is done in another process."""

    model: Path
    policy: Policy
    threads: int
    identity: Mapping[str, str]

    def pipeline(self) -> ModerationPipeline:
        """The judge; raises ModelError where the model is not the same as here."""
        pipeline = ModerationPipeline(
            Scorer.load(self.model, threads=self.threads), self.policy, digest=digest_of(self.model)
        )
        if pipeline.identity != self.identity:
            raise ModelError(
                f"{self.model}: not the model that the audit was begun with; put the same one on every machine"
            )
        return pipeline


class Here:
    """Works in this process, with the threads of its judge's model."""

    def __init__(self, pipeline: ModerationPipeline) -> None:
        self._judge = pipeline

    def run(self, work: Work, jobs: Iterable[Job]) -> Iterator[Done]:
        """One job after the other."""
        for job in jobs:
            yield job.part, len(job.comments), work(self._judge, job)


class Processes:
    """Works in several processes of this machine."""

    def __init__(self, spec: PipelineSpec, processes: int) -> None:
        self._spec, self._processes = spec, processes

    def run(self, work: Work, jobs: Iterable[Job]) -> Iterator[Done]:
        """As many jobs at once as there are processes, with a few that wait, so that memory does not grow."""
        spawn = multiprocessing.get_context("spawn")  # threads of onnxruntime do not survive a fork
        pool = ProcessPoolExecutor(self._processes, spawn, _begin, (self._spec,))
        waiting = iter(jobs)
        try:
            at_work = {pool.submit(_do, work, job) for job in islice(waiting, 2 * self._processes)}
            while at_work:
                done, at_work = wait(at_work, return_when=FIRST_COMPLETED)
                for one in done:
                    yield one.result()
                at_work |= {pool.submit(_do, work, job) for job in islice(waiting, len(done))}
        except BrokenProcessPool as error:
            raise EngineError(
                "a process that scores was killed (out of memory?); run the same command again, with fewer --processes"
            ) from error
        except BaseException:
            for process in multiprocessing.active_children():  # what they are at is done again another time
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


class Ray:
    """Works on a Ray cluster, through Ray Data; the model's directory must be at the same path on every machine of it."""

    def __init__(self, spec: PipelineSpec, workers: int | None, address: str | None) -> None:
        self._spec, self._workers, self._address = spec, workers, address

    def run(self, work: Work, jobs: Iterable[Job]) -> Iterator[Done]:
        """Jobs in waves, so that no more of the archive than a wave lies in the cluster's memory."""
        ray = _ray(self._address)
        workers = self._workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // self._spec.threads)
        waiting = iter(jobs)
        while wave := list(islice(waiting, _JOBS_IN_WAVE * workers)):
            yield from self._wave(ray, work, wave, min(workers, len(wave)))

    def _wave(self, ray: Any, work: Work, wave: Sequence[Job], workers: int) -> Iterator[Done]:
        items = ray.data.from_items(
            [{"job": pickle.dumps(job)} for job in wave], override_num_blocks=len(wave)
        )
        done = items.map(
            _RayWorker,
            fn_constructor_args=(self._spec, work),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=self._spec.threads,
        )
        for row in done.iter_rows():
            yield row["part"], row["comments"], row["content"]


class _RayWorker:
    """One on a machine of the cluster for as long as a wave lasts."""

    def __init__(self, spec: PipelineSpec, work: Work) -> None:
        self._judge, self._work = spec.pipeline(), work

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        job: Job = pickle.loads(row["job"])  # noqa: S301 - from our own driver
        return {
            "part": job.part,
            "comments": len(job.comments),
            "content": self._work(self._judge, job),
        }


def split_of(cores: int) -> int:
    """How many processes share ``cores``: each runs the model on its part of them, in threads."""
    return max(1, cores // CORES_PER_PROCESS)


def _ray(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise EngineError("Ray is not installed; run: pip install 'belowline[ray]'") from None
    if not ray.is_initialized():
        _check_reachable(address or os.environ.get("RAY_ADDRESS", ""))
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    return ray


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes."""
    host, found, port = address.removeprefix("ray://").rpartition(":")
    if not found:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise EngineError(f"no Ray cluster at {address} ({describe(error)}); check --address") from None


def _begin(spec: PipelineSpec) -> None:
    """In a new process."""
    global _judge
    follow_parent()
    _judge = spec.pipeline()


def _do(work: Work, job: Job) -> Done:
    assert _judge is not None  # noqa: S101 - _begin ran before
    return job.part, len(job.comments), work(_judge, job)


_judge: ModerationPipeline | None = None
