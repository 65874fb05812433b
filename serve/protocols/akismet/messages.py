"""Calls of Akismet clients: a form or JSON in any encoding, read into one record."""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import Request

from belowline.serve.http.errors import Problem, invalid_field
from belowline.serve.http.schemas import host_of, site_name
from belowline.serve.json_body import repaired

_MOST_FIELDS = 1000
_CHARSET = re.compile(rb"charset=\"?([\w.:-]{1,40})", re.ASCII)
_LEGACY = re.compile(r"(iso8859|cp125|cp866|cp874|cp9|koi8|euc|shift|gb|big5|mac|tis)[\w-]*", re.ASCII)
"""Encodings of web pages, by Python's names. Python's other codecs are not for pages, or slow."""
_TRUE = ("1", "true")
_GUID = re.compile(r"[0-9a-f]{32}")
_HONEYPOTS = ("POST_ak_hp_textarea", "ak_hp_textarea")
"""The hidden field of Akismet's WordPress plugin, which does not send its name."""
_SPAM_NAME, _SPAM_ADDRESS = "viagra-test-123", "akismet-guaranteed-spam@example.com"


@dataclass(frozen=True, slots=True)
class Call:
    """The fields of a call by name, without blank ones, and the texts around the comment."""

    fields: Mapping[str, str]
    context: tuple[str, ...]

    def get(self, name: str) -> str:
        """A field's value, empty if it is missing."""
        return self.fields.get(name, "")

    @property
    def key(self) -> str:
        """The key, under either of its two names."""
        return self.get("api_key") or self.get("key")

    @property
    def text(self) -> str:
        """The text to score: the content, or else the author's name; raises Problem if both are missing."""
        text = self.get("comment_content") or self.get("comment_author")
        if not text:
            raise invalid_field("comment_content", "is missing; add it")
        return text

    @property
    def author(self) -> str:
        """The address that tells authors apart, empty if unknown."""
        email, url = self.get("comment_author_email").lower(), self.get("comment_author_url")
        return email or url or self.get("user_ip")

    @property
    def only_by_address(self) -> bool:
        """True if only an IP address tells the author apart; in a report it may be the moderator's."""
        return not (self.get("comment_author_email") or self.get("comment_author_url"))

    @property
    def guid(self) -> str:
        """The comment's ``X-akismet-guid`` from an earlier check; empty if missing or malformed."""
        guid = (self.get("akismet_guid") or self.get("guid")).lower()
        return guid if _GUID.fullmatch(guid) else ""

    @property
    def by_administrator(self) -> bool:
        """True if the author's roles include the one that is never spam."""
        return "administrator" in self.get("user_role").split(",")

    @property
    def is_test(self) -> bool:
        """True if nothing is to be stored."""
        return self.get("is_test").lower() in _TRUE or self.is_hook

    @property
    def is_hook(self) -> bool:
        """True for the author that clients use to test for spam."""
        address = self.get("comment_author_email").lower()
        return self.get("comment_author") == _SPAM_NAME or address == _SPAM_ADDRESS

    @property
    def trapped(self) -> bool:
        """True if a hidden field was filled in."""
        return any(name in self.fields for name in (self.get("honeypot_field_name"), *_HONEYPOTS))

    @property
    def written(self) -> datetime | None:
        """The time of writing, None if missing or unreadable."""
        try:
            moment = datetime.fromisoformat(self.get("comment_date_gmt").strip())
        except ValueError:
            return None
        if not 1970 <= moment.year < 9999:  # a time zone could shift it out of the calendar
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def read_call(request: Request) -> Call:
    """The fields of the address and the body; a body that begins like JSON is JSON, whatever its media type.

    Raises Problem for unreadable JSON and for too many fields.
    """
    body = await request.body()
    declared = _CHARSET.search(request.headers.get("content-type", "").encode())
    pairs = list(_form(request.scope["query_string"], None))
    if body.lstrip()[:1] == b"{":
        pairs += _json(body, declared and declared[1])
    else:
        pairs += _form(body, declared and declared[1])
    fields = [(name, value) for name, value in pairs if name and value.strip()]
    context = tuple(value for name, value in fields if name.partition("[")[0] == "comment_context")
    return Call(dict(fields), context)


def site_of(address: str) -> str:
    """The name of the site at an address; empty without a valid host."""
    return site_name(host_of(address))


def _form(body: bytes, declared: bytes | None) -> Iterator[tuple[str, str]]:
    if body.count(b"&") >= _MOST_FIELDS:
        raise Problem("invalid-request", f"there are more than {_MOST_FIELDS} fields")
    halves = [part.replace(b"+", b" ").partition(b"=") for part in body.split(b"&") if part]
    pairs = [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in halves]
    charset = dict(pairs).get(b"blog_charset") or declared
    codec = _codec(b"\n".join(value for _, value in pairs), charset)
    return ((name.decode("ascii", "replace"), value.decode(codec, "replace")) for name, value in pairs)


def _json(body: bytes, declared: bytes | None) -> Iterator[tuple[str, str]]:
    try:
        fields = json.loads(repaired(body.decode(_codec(body, declared), "replace").encode()))
    except (ValueError, RecursionError):
        raise Problem("malformed-body", "the body is neither a form nor JSON that can be read") from None
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, _text(one)


def _text(value: Any) -> str:
    """A JSON value as a form would send it, empty for a value that a form cannot send."""
    if isinstance(value, bool):
        return "1" if value else ""
    return str(value) if isinstance(value, str | int | float) else ""


def _codec(text: bytes, declared: bytes | None) -> str:
    """The encoding of ``text``: UTF-8 if it is valid UTF-8, else the declared one, else UTF-8."""
    # Many clients send UTF-8 whatever their blog declares.
    try:
        text.decode()
    except UnicodeDecodeError:
        try:
            name = codecs.lookup((declared or b"").decode("ascii")).name
        except (LookupError, ValueError):
            return "utf-8"
        return name if _LEGACY.fullmatch(name) else "utf-8"
    return "utf-8"
