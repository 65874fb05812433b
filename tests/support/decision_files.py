"""Files of decisions as ``belowline decisions export`` writes them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from belowline.data.decisions import Counts, Decided, Header

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
ROW: dict[str, Any] = {
    **{"row": "s:a", "site": "s", "text": "words", "labels": {"spam": 1.0}, "origin": "moderator"},
    **{"decision": "reject", "code": "spam", "overturned": False, "blind": True, "split_key": "s thread t"},
    **{"article": "Title", "parent": "an answer", "sampled": "random", "weight": 4.0, "decided_at": AT},
    **{"model": "0.4.0", "scores": {"spam": 0.25}},
}


def write(path: Path, *rows: Decided, examples: int | None = None) -> Path:
    counts = Counts()
    for row in rows:
        counts.add(row)
    if examples is not None:
        counts.examples = examples
    times: dict[str, Any] = {"exported_at": AT, "since": None, "until": None}
    header = Header(belowline="0.5.0", site=None, counts=counts, guidelines="", erasure="", **times)
    path.write_text("".join(one.model_dump_json() + "\n" for one in (header, *rows)), "utf-8")
    return path
