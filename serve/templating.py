"""The Jinja environment of all pages: console, try-it page, API reference, report of an audit."""

from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from belowline.serve.scoring.safe_text import on_one_line, visible
from belowline.serve.scoring.wording import (
    ACTIONS,
    DONE,
    age,
    code_words,
    label_name,
    language_name,
    likelihood,
    with_code,
)
from belowline.serve.store.database import now

_HERE = Path(__file__).parent


def time_ago(moment: datetime | None) -> str:
    """The time since ``moment``, such as "3 min"; empty for None."""
    return "" if moment is None else age((now() - moment).total_seconds())


def isolated(text: str, most: int = 0) -> Markup:
    """``text``, cut at ``most`` characters, as HTML that cannot change the direction of the words around it."""
    shown = text if not most or len(text) <= most else text[: most - 1] + "…"
    return Markup("<bdi>{}</bdi>").format(shown)


def inline_css(*names: str) -> Markup:
    """The static style sheets ``names``, for a page that loads nothing."""
    return Markup("".join((_HERE / "static" / name).read_text("utf-8") for name in names))  # noqa: S704


templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
)
templates.filters.update(
    label=label_name,
    language=language_name,
    likelihood=likelihood,
    code=with_code,
    ago=time_ago,
    age=age,
    reason=code_words,
    count="{:,}".format,
    isolated=isolated,
    visible=visible,
    one_line=on_one_line,
)
templates.globals.update(action_words=ACTIONS.__getitem__, done_words=DONE.__getitem__)
