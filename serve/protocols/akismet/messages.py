"""Reading the calls of Akismet clients: a form or JSON, in whatever encoding, becomes one frozen record."""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from fastapi import Request

from belowline.serve.http.errors import Problem, invalid_field
from belowline.serve.json_body import repaired

_MOST_FIELDS = 1000
_CHARSET = re.compile(rb"charset=\"?([\w.:-]{1,40})", re.ASCII)
_LEGACY = re.compile(r"(iso8859|cp125|cp866|cp874|cp9|koi8|euc|shift|gb|big5|mac|tis)[\w-]*", re.ASCII)
"""What pages were written in, by Python's names of codecs; it has others that no page was written in, or that are slow."""
_TRUE = ("1", "true")
_GUID = re.compile(r"[0-9a-f]{32}")
_HONEYPOTS = ("POST_ak_hp_textarea", "ak_hp_textarea")
"""The hidden field of Akismet's WordPress plugin, which does not name it."""
_SPAM_NAME, _SPAM_ADDRESS = "viagra-test-123", "akismet-guaranteed-spam@example.com"


@dataclass(frozen=True, slots=True)
class Call:
    """What a client sent: fields by name, blank ones left out, and what stands around the comment."""

    fields: Mapping[str, str]
    context: tuple[str, ...]

    def get(self, name: str) -> str:
        """A field's value, empty where there is none."""
        return self.fields.get(name, "")

    @property
    def key(self) -> str:
        """The key, which goes by two names."""
        return self.get("api_key") or self.get("key")

    @property
    def text(self) -> str:
        """What is judged: the content, or the author's name where that is all (a sign-up); raises Problem where there is neither."""
        text = self.get("comment_content") or self.get("comment_author")
        if not text:
            raise invalid_field("comment_content", "is missing; add it")
        return text

    @property
    def author(self) -> str:
        """The address that tells authors apart, empty where none is given."""
        return (
            self.get("comment_author_email").lower() or self.get("comment_author_url") or self.get("user_ip")
        )

    @property
    def only_by_address(self) -> bool:
        """Whether nothing but an IP address tells the author, and a report may have the moderator's."""
        return not (self.get("comment_author_email") or self.get("comment_author_url"))

    @property
    def guid(self) -> str:
        """What an earlier check called the comment (``X-akismet-guid``); empty where that is not said or cannot be."""
        said = (self.get("akismet_guid") or self.get("guid")).lower()
        return said if _GUID.fullmatch(said) else ""

    @property
    def by_administrator(self) -> bool:
        """Whether the author has the role that is never spam; WordPress lists several."""
        return "administrator" in self.get("user_role").split(",")

    @property
    def is_test(self) -> bool:
        """Whether nothing is to be kept."""
        return self.get("is_test").lower() in _TRUE or self.is_hook

    @property
    def is_hook(self) -> bool:
        """Whether the author is one whom clients expect to be called spam."""
        return (
            self.get("comment_author") == _SPAM_NAME
            or self.get("comment_author_email").lower() == _SPAM_ADDRESS
        )

    @property
    def trapped(self) -> bool:
        """Whether a field was filled in that people do not see."""
        return any(name in self.fields for name in (self.get("honeypot_field_name"), *_HONEYPOTS))

    @property
    def written(self) -> datetime | None:
        """When the comment was written, None where that is not said or not understood."""
        try:
            moment = datetime.fromisoformat(self.get("comment_date_gmt").strip())
        except ValueError:
            return None
        if not 1970 <= moment.year < 9999:  # a zone may carry it out of the calendar
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def read_call(request: Request) -> Call:
    """The fields of the address and the body; a body is read as what it looks like, whatever its media type says.

    Raises Problem for JSON that cannot be read, and for more fields than any client has.
    """
    body = await request.body()
    declared = _CHARSET.search(request.headers.get("content-type", "").encode())
    pairs = list(_form(request.scope["query_string"], None))
    if body.lstrip()[:1] == b"{":
        pairs += _json(body, declared and declared[1])
    else:
        pairs += _form(body, declared and declared[1])
    found = [(name, value) for name, value in pairs if name and value.strip()]
    context = tuple(value for name, value in found if name.partition("[")[0] == "comment_context")
    return Call(dict(found), context)


def site_of(address: str) -> str | None:
    """The name of the site at an address: its host in lower-case ASCII; None where it has none."""
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return None
    try:
        host = host[:253].encode("idna").decode()
    except UnicodeError:
        host = host[:253]
    return re.sub(r"[^a-z0-9._-]+", "-", host.lower()).lstrip("-._")[:100] or None


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
        found = json.loads(repaired(body.decode(_codec(body, declared), "replace").encode()))
    except (ValueError, RecursionError):
        raise Problem("malformed-body", "the body is neither a form nor JSON that can be read") from None
    for name, value in found.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, _text(one)


def _text(value: Any) -> str:
    """A value as a form would have it; what a form cannot have is left out."""
    if isinstance(value, bool):
        return "1" if value else ""
    return str(value) if isinstance(value, str | int | float) else ""


def _codec(text: bytes, declared: bytes | None) -> str:
    """What ``text`` is written in: UTF-8 if it can be, for many clients send that whatever their blog declares; otherwise as declared.

    Where that is no codec for text it is UTF-8 all the same: a comment is not lost over a few bytes.
    """
    try:
        text.decode()
    except UnicodeDecodeError:
        try:
            name = codecs.lookup((declared or b"").decode("ascii")).name
        except (LookupError, ValueError):
            return "utf-8"
        return name if _LEGACY.fullmatch(name) else "utf-8"
    return "utf-8"
