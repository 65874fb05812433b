"""The invented week: articles, comments and acts, read from the files beside this module."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from belowline.serve.queue.intake import Author, Thread

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Event:
    """A comment, or an act of a person, with its time before now and its fields; ``do`` is ``comment`` or the act."""

    do: str
    ago: timedelta
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Week:
    """The invented site, its moderators with their roles, its articles by their ids, and its events in their order."""

    site: str
    people: Mapping[str, str]
    articles: Mapping[str, Thread]
    events: Sequence[Event]

    @property
    def comments(self) -> list[Mapping[str, Any]]:
        """The fields of the comments, the earliest first."""
        return [event.fields for event in self.events if event.do == "comment"]


def read_week() -> Week:
    """Return the invented week."""
    told = tomllib.loads((FOLDER / "week.toml").read_text("utf-8"))
    lines = (FOLDER / "comments.jsonl").read_text("utf-8").splitlines()
    events = [_event("comment", json.loads(line)) for line in lines]
    events += [_event(act["do"], act) for act in told["acts"]]
    articles = {name: Thread(name, **article) for name, article in told["articles"].items()}
    return Week(told["site"], told["people"], articles, sorted(events, key=lambda event: -event.ago))


def author_of(name: str) -> Author:
    """Return the author with this name; the id is the name in small letters."""
    return Author("-".join(name.lower().split()), name)


def _event(do: str, fields: Mapping[str, Any]) -> Event:
    return Event(do, timedelta(hours=fields["hours"]), fields)
