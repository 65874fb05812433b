"""What a process does that works for another of ours."""

import multiprocessing
import os
import signal
import threading


def follow_parent() -> None:
    """Called first in it: Ctrl+C is left to the parent, and this process ends when the parent does, even by kill -9."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
