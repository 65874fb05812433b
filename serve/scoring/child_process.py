"""Set-up of a process that works for another one."""

import multiprocessing
import os
import signal
import threading


def follow_parent() -> None:
    """Ignores Ctrl+C in this process and ends it when its parent ends, even by kill -9; call it first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
