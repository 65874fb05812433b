"""Recognises the dates and ages that pages print beside an author's name."""

import re

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? )?"
_CLOCK = (
    r"(?:,? ?(?:(?:at|@|\||-|–|—|·) ?)?\d{1,2}[:.]\d{2}(?::\d{2})?(?: ?[ap]\.?m\.?)?"
    r"(?: \(?(?:utc|gmt|[a-z]{1,3}[sd]t|[a-z]{2,3}t)(?:[+-]\d{1,2}(?::?\d{2})?)?\)?)?)"
)
_UNIT = r"(?:second|minute|min|hour|day|week|month|year)s?"
_AGE = rf"(?:(?:an?|one|\d+) {_UNIT}(?:(?:,| and|, and)? \d+ {_UNIT}){{0,3}}|\d+ ?(?:s|m|h|hrs?|d|w|mo|mos|y|yrs?)) ago"
_BUTTON = r"(?: ?[|·—–-]? ?(?:reply|\(?edit\)?)){0,2}"
_STAMP = re.compile(
    rf"{_WEEKDAY}(?:{_MONTH} {_DAY},? \d{{4}}|(?P<month>{_MONTH} \d{{4}})|{_DAY}\.? {_MONTH},? \d{{4}}"
    rf"|\d{{4}}[-/.]\d{{2}}[-/.]\d{{2}}|\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{4}}|\d{{1,2}}/\d{{1,2}}/\d{{2}})(?P<clock>{_CLOCK})?{_BUTTON}"
    rf"|(?P<age>{_AGE}|(?:just|right) now){_BUTTON}",
    re.IGNORECASE,
)
_DAY_OF_YEAR = re.compile(
    rf"{_WEEKDAY}(?:{_MONTH} {_DAY}|{_DAY}\.? {_MONTH}){_CLOCK}?{_BUTTON}", re.IGNORECASE
)
_PART_OF_AGE = re.compile(r"(an?|one|\d+) ?(second|minute|min|hour|day|week|month|year|s|mo|m|h|d|w|y)")
_MINUTE, _DAY_S = 60, 86_400
_SECONDS = {
    **dict.fromkeys(("s", "second"), 1),
    **dict.fromkeys(("m", "min", "minute"), _MINUTE),
    **dict.fromkeys(("h", "hour"), 60 * _MINUTE),
    **dict.fromkeys(("d", "day"), _DAY_S),
    **dict.fromkeys(("w", "week"), 7 * _DAY_S),
    **dict.fromkeys(("mo", "month"), 30 * _DAY_S),
    **dict.fromkeys(("y", "year"), 365 * _DAY_S),
}
_LONGEST = 60


def age_of(line: str) -> int | None:
    """The seconds of an age such as "2 years, 3 months ago", in the precision of the page; None for another line."""
    match = _STAMP.fullmatch(line) if len(line) <= _LONGEST else None
    if not match or not match["age"]:
        return None
    parts = _PART_OF_AGE.findall(match["age"].casefold())
    return sum((int(number) if number.isdecimal() else 1) * _SECONDS[unit] for number, unit in parts)


def is_day_of_year(line: str) -> bool:
    """True for a date without a year, such as "May 4", which may also be what a comment says."""
    return len(line) <= _LONGEST and _DAY_OF_YEAR.fullmatch(line) is not None


def kind_of_stamp(line: str) -> str | None:
    """ "age", "month", "clock" (a date with a time of day) or "date" if the line is nothing else, else None."""
    match = _STAMP.fullmatch(line) if len(line) <= _LONGEST else None
    if not match:
        return None
    return next((kind for kind in ("age", "month", "clock") if match[kind]), "date")
