"""Reads the times that hosts write: ISO 8601, epochs, mail dates, written dates; never by a guess."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from belowline.data.comment import ReadError

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
"""Values of ``time_format`` that order the day and the month of dates such as ``03/05/2024``."""

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[ap]\.?m\.?)?"
_ZONE = r"(?:\s*(?:Z|UTC|GMT))?(?:\s*(?P<zone>[+-]\d{2}:?\d{2})(?:\s+\(?[\w ]+\)?)?)?"
_NUMBERS = re.compile(
    rf"(?P<one>\d{{1,4}})(?P<sep>[./-])(?P<two>\d{{1,2}})(?P=sep)(?P<three>\d{{1,4}})(?:,?[\sT]+{_CLOCK}{_ZONE})?",
    re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY, _YEAR = r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?", r"(?P<year>\d{4})"
_MONTH = r"(?P<month>[A-Za-z]{3,9})\.?"
_WRITTEN = tuple(
    re.compile(rf"(?:[A-Za-z]{{3,9}},?\s+)?{date}(?:(?:,|\s+at|\s+@)?\s+{_CLOCK}{_ZONE})?", re.IGNORECASE)
    for date in (rf"{_MONTH}\s+{_DAY},?\s+{_YEAR}", rf"{_DAY}[\s-]+{_MONTH},?[\s-]+{_YEAR}")
)
_UNIX_DATE = re.compile(rf"[A-Za-z]{{3}}\s+{_MONTH}\s+{_DAY}\s+{_CLOCK}{_ZONE}\s+{_YEAR}", re.IGNORECASE)
_MAIL_DATE = re.compile(
    r"(?:[A-Za-z]{3},\s*)?\d{1,2}\s+[A-Za-z]{3}\s+\d{2,4}\s+[\d:]{4,8}\s+(?:[+-]\d{4}|UT|[ECMP][SD]T)(?:\s+\(.*\))?"
)
_BARE_CLOCK = re.compile(rf"\s*{_CLOCK}{_ZONE}\s*", re.IGNORECASE)
_EPOCH_UNITS = ((11, 1.0), (14, 1e3), (17, 1e6), (20, 1e9))
_FIRST_YEAR, _LAST_YEAR = 1971, 2200
_LONGEST = 100


def read_time(value: object, time_format: str | None = None) -> datetime | None:
    """A time with a zone, UTC where the value names none; None for other values, zero dates among them.

    Args:
        value: A number (an epoch in seconds, milliseconds, microseconds or nanoseconds, told apart by its size) or
            text. A date whose day and month could be exchanged is not read.
        time_format: Pattern of ``datetime.strptime``, tried first; or ``DAY_FIRST`` or ``MONTH_FIRST``.
    """
    if isinstance(value, datetime):
        return _checked(value)
    text = value.strip() if isinstance(value, str) else ""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _epoch(float(value))
        if not text or len(text) > _LONGEST:
            return None
        return _checked(_by_format(text, time_format) or _read(text, time_format))
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def check_time_format(time_format: str | None) -> None:
    """Raises ReadError for a pattern that gives no date."""
    if time_format in (None, DAY_FIRST, MONTH_FIRST):
        return
    moment = datetime(2024, 5, 19, 7, 12, tzinfo=UTC)
    try:
        text = moment.strftime(time_format)
        # Without a year Python deprecates the parsing of a day. In 28 years the weekdays are the same again.
        if text != moment.replace(year=2052).strftime(time_format):
            read = datetime.strptime(text, time_format)
            if (read.year, read.month, read.day) == (2024, 5, 19):
                return
    except (ValueError, re.error):
        pass
    raise ReadError(
        f"the time format {time_format!r} gives no date; write it like '%d/%m/%Y %H:%M', "
        f"or use {DAY_FIRST} or {MONTH_FIRST}"
    )


def is_clock(value: object) -> bool:
    """True for a time of day without a date, such as ``14:05``."""
    return isinstance(value, str) and len(value) <= _LONGEST and _BARE_CLOCK.fullmatch(value) is not None


def _by_format(text: str, time_format: str | None) -> datetime | None:
    if time_format is None or "%" not in time_format:
        return None
    try:
        return datetime.strptime(text, time_format)
    except ValueError:
        return None


def _read(text: str, time_format: str | None) -> datetime | None:
    if re.fullmatch(r"-?\d+(?:\.\d+)?(?:[eE][+]?\d+)?", text):
        return _digits(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if match := _NUMBERS.fullmatch(text):
        return _numeric(match, time_format)
    for pattern in (*_WRITTEN, _UNIX_DATE):
        if match := pattern.fullmatch(text):
            month = _MONTHS.index(match["month"][:3].lower()) + 1
            return _assembled(match, int(match["year"]), month, int(match["day"]))
    return parsedate_to_datetime(text) if _MAIL_DATE.fullmatch(text) else None


def _digits(text: str) -> datetime | None:
    if re.fullmatch(r"(?:19|20)\d{12}", text):
        return datetime.strptime(text, "%Y%m%d%H%M%S")
    if re.fullmatch(r"(?:19|20)\d{6}", text):
        return datetime.strptime(text, "%Y%m%d")
    return _epoch(float(text))


def _epoch(number: float) -> datetime | None:
    digits = len(str(int(abs(number)))) if abs(number) < 1e20 else 21
    unit = next((unit for limit, unit in _EPOCH_UNITS if digits < limit), None)
    if unit is None or digits < 9:
        return None
    return _checked(datetime.fromtimestamp(number / unit, UTC))


def _numeric(match: re.Match[str], time_format: str | None) -> datetime | None:
    """A date in numbers. Dots put the day first; slashes and hyphens are read if only one order is possible."""
    one, two, three = int(match["one"]), int(match["two"]), int(match["three"])
    if len(match["one"]) == 4:
        return _assembled(match, one, two, three)
    if len(match["three"]) != 4:
        if time_format not in (DAY_FIRST, MONTH_FIRST) or len(match["three"]) != 2:
            return None
        three += 2000
    day_first = match["sep"] == "." or one > 12 or one == two or time_format == DAY_FIRST
    if time_format == MONTH_FIRST or (two > 12 and match["sep"] != "."):
        day_first = one > 12
    elif not day_first:
        return None
    day, month = (one, two) if day_first else (two, one)
    return _assembled(match, three, month, day)


def _assembled(match: re.Match[str], year: int, month: int, day: int) -> datetime:
    hour = int(match["hour"] or 0)
    if half := match["half"]:
        hour = hour % 12 + 12 * half.lower().startswith("p")
    time = datetime(year, month, day, hour, int(match["minute"] or 0), int(match["second"] or 0))
    return datetime.fromisoformat(time.isoformat() + (match["zone"] or "+00:00"))


def _checked(time: datetime | None) -> datetime | None:
    # A zero date stands for "no time": 0000-00-00, 0001-01-01 and the first moment of the epoch.
    if time is None or not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
