"""Read by a Python that starts with this folder in PYTHONPATH: its clock differs from the machine's by the seconds in $CLOCK_FILE."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from belowline.serve.store import database

_machine = time.time


def _set() -> float:
    return _machine() + float(Path(os.environ["CLOCK_FILE"]).read_text())


time.time = _set
# Before any other module takes it from there: all that the service knows of the time of day.
database.now = lambda: datetime.fromtimestamp(_set(), UTC)
