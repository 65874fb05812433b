"""Reads the times and prior statuses of one file and counts what it cannot read: no such field costs a comment."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import cast, get_args

from belowline.data.archives.columns import plain_name
from belowline.data.archives.times import check_time_format, is_clock, read_time
from belowline.data.comment import PriorStatus, ReadError

_WORDS: Mapping[PriorStatus, str] = {
    "publish": (
        "publish published approve approved accept accepted allow allowed public visible live active ok clean ham "
        "not-spam posted open normal none featured 1 true yes y t"
    ),
    "hold": (
        "hold held on-hold pending pending-review unapprove unapproved awaiting-moderation awaiting-approval "
        "in-moderation moderate moderation moderated queued waiting premod system-withheld withheld review "
        "in-review needs-review held-for-review unmoderated unpublished flagged reported quarantine quarantined "
        "new 0 false no n f"
    ),
    "reject": (
        "reject rejected refuse refused deny denied decline declined disapprove disapproved delete deleted "
        "soft-deleted user-deleted remove removed trash trashed post-trashed block blocked hide hidden ban banned "
        "removed-by-moderator deleted-by-moderator"
    ),
    "spam": "spam spammy likely-spam marked-as-spam auto-spam junk",
}
_FLAGS: Mapping[str, tuple[PriorStatus, PriorStatus | None]] = {
    **dict.fromkeys(("isspam", "spam", "markedspam"), ("spam", None)),
    **dict.fromkeys(("isdeleted", "deleted", "delete", "removed", "isremoved", "trashed"), ("reject", None)),
    **dict.fromkeys(("ishidden", "hidden", "dead"), ("reject", None)),
    **dict.fromkeys(("ispending", "pending"), ("hold", None)),
    **dict.fromkeys(("isapproved", "approved", "ispublished"), ("publish", "hold")),
}
"""Names of yes-or-no fields, in order of preference: the status of a yes, and that of a no."""
FLAGS = frozenset(_FLAGS)
"""Names of yes-or-no fields, plain."""

_YES, _NO = ("true", "1", "yes", "y", "t"), ("false", "0", "no", "n", "f")
_SHOWN_WORDS = 5
_NO_VALUE = frozenset(("NULL", "null", "\\N", "nan", "NaN", "NaT", "<NA>", "None"))
"""Words that databases and pandas write for a missing value."""


@lru_cache(maxsize=1024)
def _flag_columns(names: tuple[str, ...]) -> tuple[tuple[str, tuple[PriorStatus, PriorStatus | None]], ...]:
    """The yes-or-no columns among names, the preferred one first."""
    plain = {plain_name(name): name for name in reversed(names)}
    return tuple((plain[name], meaning) for name, meaning in _FLAGS.items() if name in plain)


def plain_word(word: str) -> str:
    """A status word in small letters, with one hyphen between its parts: ``heldForReview`` is ``held-for-review``."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", word.strip())
    return re.sub(r"[\s_-]+", "-", parted).casefold()


def is_missing(value: object) -> bool:
    """True for None, for NaN, for an empty text and for a word that a program writes in place of no value."""
    if isinstance(value, str):
        return not value or value.strip() in _NO_VALUE
    return value is None or value != value


def without_fraction(text: str) -> str:
    """The text without the ``.0`` that pandas adds to whole numbers of a column with gaps."""
    whole_number, point, fraction = text.strip().partition(".")
    return whole_number if point and fraction == "0" and whole_number.isdecimal() else text


STATUSES: Mapping[str, PriorStatus] = {word: status for status in _WORDS for word in _WORDS[status].split()}
"""Words of hosts to the prior status that they mean."""


@dataclass(frozen=True, slots=True)
class SideRules:
    """The caller's own ways of reading: a time format (see ``read_time``) and status words, both as checked."""

    time_format: str | None = None
    statuses: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raises ReadError for a time format without a date and for an unknown prior status."""
        check_time_format(self.time_format)
        for word, status in self.statuses.items():
            if status not in get_args(PriorStatus):
                raise ReadError(
                    f"status {word!r}: unknown prior status {status!r}; use one of {', '.join(get_args(PriorStatus))}"
                )


class SideFields:
    """The side fields of one file. Every method accepts any value; ``notes`` tells what was odd, with counts."""

    def __init__(self, rules: SideRules | None = None) -> None:
        rules = rules or SideRules()
        self._time_format = rules.time_format
        own = {plain_word(word): cast(PriorStatus, status) for word, status in rules.statuses.items()}
        self._statuses = {**STATUSES, **own}
        self._unread_times = self._unread_words = self._times = 0
        self._words: Counter[str] = Counter()
        self._odd: Counter[str] = Counter()
        self._remarks: dict[str, None] = {}

    def time(self, value: object, date: object = None) -> datetime | None:
        """A time, from a separate ``date`` if ``value`` is missing or a time of day; None is counted."""
        if is_missing(value):
            value = date
        elif not is_missing(date) and is_clock(value):
            value = f"{date} {value}"
        if is_missing(value):
            return None
        self._times += 1
        time = read_time(value, self._time_format)
        self._unread_times += time is None
        return time

    def status(self, value: object) -> PriorStatus | None:
        """The prior status that a host's word or number means; None is counted."""
        if is_missing(value):
            return None
        known = self._statuses.get(value) if isinstance(value, str) else None
        if known is not None:
            return known
        word = plain_word(without_fraction(str(value)))
        status = self._statuses.get(word)
        if status is None and word:
            self._unread_words += 1
            if len(self._words) < _SHOWN_WORDS or word in self._words:
                self._words[word if re.fullmatch(r"[\w.-]{1,20}", word) else ""] += 1
        return status

    def flags(self, record: Mapping[str, object], without: str | None = None) -> PriorStatus | None:
        """The prior status from yes-or-no fields such as ``isSpam``, except the column ``without``."""
        if not (columns := _flag_columns(tuple(record))):
            return None
        for column, (yes, no) in columns:
            value = record[column]
            if column == without or value is None or isinstance(value, Mapping | list):
                continue
            word = without_fraction(str(value).strip().casefold())
            if word in _YES:
                return yes
            if no and word in _NO:
                return no
        return None

    def count(self, what: str, times: int = 1) -> None:
        """Count something to be noted as ``what: number``."""
        self._odd[what] += times

    def remark(self, sentence: str) -> None:
        """Add a sentence to the notes, once."""
        self._remarks[sentence] = None

    def notes(self) -> Iterator[str]:
        """One sentence for each kind of oddity; never comment text."""
        yield from self._remarks
        if self._unread_times:
            yield (
                f"{self._unread_times} of {self._times} times cannot be read for sure (ambiguous, relative, zero or "
                "unknown), so these comments have no time; --time-format says how the times are written"
            )
        if self._unread_words:
            shown = ", ".join(sorted(word for word in self._words if word))
            yield (
                f"{self._unread_words} comments have a status that is not known{f' ({shown})' if shown else ''}; "
                "--status WORD=publish, hold, reject or spam says what it means"
            )
        for what, times in self._odd.items():
            yield f"{what}: {times}"
