"""Finds the words and link hosts that a policy lists, also in obfuscated text."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from belowline.model.normalise import Normalised, normalise

_LINK = re.compile(
    r"(?i)\b(?:https?:[/\\]+|www\.)[^\s<>\"'|\[\]]+|(?<![\w@.-])(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>\"'|\[\]]*"
)
_SCHEME = re.compile(r"(?i)https?:[/\\]+")
_HOST = re.compile(r"(?<![\w@.-])[\w-]+(?:\.[\w-]+)+")


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of a list and its span in a text."""

    entry: str
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of words and phrases; case is ignored, and ``*`` at the end of an entry matches further letters."""

    entries: tuple[str, ...] = ()

    def find(self, text: str, normalised: Normalised) -> list[Found]:
        """Every entry in ``text``, in order of position, with offsets in the text as written.

        The search runs over ``normalised``, the normalised ``text``: entries are normalised too, so obfuscation is
        undone in both.
        """
        if not self.entries or not text:
            return []
        pattern, names = _pattern(self.entries)
        found = [
            Found(names[match.lastindex or 0], normalised.original_span(*match.span()))
            for match in pattern.finditer(normalised.text)
            # Normalising replaces the name after @ by "user".
            if normalised.text[match.start() - 1 : match.start()] != "@"
        ]
        # Normalising inserts the word "link" before each host.
        return [one for one in found if one.entry.lower() != "link" or not _LINK.match(text, one.span[0])]


@functools.lru_cache(maxsize=64)
def _pattern(entries: tuple[str, ...]) -> tuple[re.Pattern[str], dict[int, str]]:
    names = dict(enumerate(entries, start=1))
    return re.compile("|".join(f"({_one(entry)})" for entry in entries), re.IGNORECASE), names


def _one(entry: str) -> str:
    words = r"\s+".join(re.escape(word) for word in normalise(entry.removesuffix("*")).text.split())
    if not words:
        return "(?!)"
    return rf"(?<!\w){words}\w*" if entry.endswith("*") else rf"(?<!\w){words}(?!\w)"


@dataclass(frozen=True, slots=True)
class Link:
    """A link in a text."""

    host: str
    span: tuple[int, int]

    def within(self, domains: Sequence[str]) -> bool:
        """True if the host is one of ``domains`` or a subdomain of one."""
        return any(self.host == domain or self.host.endswith("." + domain) for domain in domains)


def links_in(text: str) -> list[Link]:
    """The links of a text, in order: addresses with ``http``, ``www.`` or a path."""
    found = []
    for match in _LINK.finditer(text):
        address = match.group().rstrip(".,;:!?*_")
        found.append(Link(_host(address), (match.start(), match.start() + len(address))))
    return found


def hosts_in(text: str, plain: Normalised) -> list[Link]:
    """Every host that ``text`` names, in order: of its links or alone, as written or in ``plain``, the
    normalised text."""
    links = links_in(text)
    alone = _LINK.sub(lambda match: " " * len(match.group()), text)  # the rest of an address is no host
    named = [(match.group(), match.span()) for match in _HOST.finditer(alone)]
    named += [(match.group(), plain.original_span(*match.span())) for match in _HOST.finditer(plain.text)]
    return sorted((*links, *(Link(_plain(host), span) for host, span in named)), key=lambda link: link.span)


def _host(address: str) -> str:
    authority = re.split(r"[/?#\\]", _SCHEME.sub("", address, count=1), maxsplit=1)[0]
    host = re.match(r"[\w.-]*", unquote(authority.rpartition("@")[2]))
    return _plain(host.group() if host else "")


def _plain(host: str) -> str:
    return host.strip(".").lower().removeprefix("www.")
