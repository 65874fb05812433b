"""Files of decisions that tests write."""

import json
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


REVIEW: dict[str, Any] = {
    **{"number": 3, "id": "17", "source": "a.txt", "thread": "T", "article": None, "parent": None},
    **{"text": "words", "decision": "publish", "labels": {"on_topic": 1, "hate": 0}, "note": ""},
    **{"stratum": "random", "weight": 250.0, "model": "0.4.0", "reviewer": "ann", "policy": "p"},
    "reviewed_at": "2026-11-25T12:00:00+00:00",
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


def write_reviews(path: Path, *changes: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(REVIEW | change) + "\n" for change in changes), "utf-8")
    return path
