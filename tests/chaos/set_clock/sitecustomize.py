"""Clock shift of a Python that starts with this folder in PYTHONPATH.

Its clock differs from the machine's by the seconds in $CLOCK_FILE.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from belowline.serve.store import database

_machine = time.time


def _set() -> float:
    return _machine() + float(Path(os.environ["CLOCK_FILE"]).read_text())


time.time = _set
# Replaces the time source before any other module imports it, so the service sees only the shifted time.
database.now = lambda: datetime.fromtimestamp(_set(), UTC)
