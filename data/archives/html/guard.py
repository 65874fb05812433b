"""Refuses HTML pages that take a parser quadratic time or memory."""

import re

from belowline.data.comment import ReadError

_MOST_STEPS = 2_000_000_000
_MOST_COPIES = 5_000_000
_ATTRIBUTE = r"""[^\s/>=][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)?+)?+"""
_TAG = re.compile(rf"<(/?+)([a-zA-Z][^\s/>]*+)((?:[\s/=]++|{_ATTRIBUTE})*+)")
_MANY_ATTRIBUTES = 4_000
# Elements that close by themselves do not nest, however often they are opened, save inside SVG and MathML.
_NEVER_DEEP = frozenset(
    re.findall(
        r"\w+",
        "area base body br col colgroup dd dt embed head hr html img input li link meta p param source tbody td tfoot "
        "th thead tr track wbr",
    )
)
_FORMATTING = frozenset(re.findall(r"\w+", "a b big code em font i nobr s small strike strong tt u"))


def refuse_slow(page: str, source: str, most_steps: int = _MOST_STEPS) -> None:
    """Raises ReadError for a page whose nesting or attributes take a parser quadratic time or memory."""
    steps = copies = depth = styles = 0
    opened: dict[str, list[bool]] = {}
    for tag in _TAG.finditer(page):
        closing, name, attributes = tag.groups()
        name = name.lower()
        steps += depth
        copies += styles
        if len(attributes) > _MANY_ATTRIBUTES:
            steps += len(re.findall(_ATTRIBUTE, attributes)) ** 2
        if name not in _NEVER_DEEP or opened.get("svg") or opened.get("math"):
            stack = opened.setdefault(name, [])
            if closing and stack:
                styles -= stack.pop()
                depth -= 1
            elif not closing:
                # Parsers repeat open formatting in every paragraph, but no more than three that are alike.
                stack.append(name in _FORMATTING and bool(attributes.strip()))
                styles += stack[-1]
                depth += 1
        if steps > most_steps or copies > _MOST_COPIES:
            raise ReadError(
                "elements nested too deeply or with too many attributes; leave the page out",
                source,
                part=f"character {tag.start() + 1}",
            )
