"""The worker processes of a running service, distinguished by their metrics."""

import contextlib
import re
from functools import partial

import httpx

from tests.support.waiting import until

eventually = partial(until, seconds=200)  # a restarted worker takes long on a busy machine


def answered(url: str, path: str = "/metrics") -> str:
    """Return the answer of any worker over a new connection; empty if the worker dies while answering."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url + path, timeout=60).text
    return ""


def workers(url: str) -> dict[int, float]:
    """Return the number of requests that each living worker has answered, by process."""
    found = re.findall(r'^belowline_worker_requests\{pid="(\d+)"\} (\S+)$', answered(url), re.MULTILINE)
    return {int(process): float(requests) for process, requests in found}


def busy(url: str) -> list[int]:
    """Return the processes of two workers, once both have answered."""
    return eventually(
        lambda: found if len(found := [pid for pid, n in workers(url).items() if n]) == 2 else None
    )
