"""A client of WordPress's REST API with an application password. It calls only the site that it is given."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from time import monotonic
from typing import Any, Literal, Self, TypeVar

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from belowline.model import BelowlineError
from belowline.serve.http.schemas import site_name
from belowline.serve.wordpress.kses import survives
from belowline.serve.wordpress.remote_comment import RawText, RemoteComment

PAGE = 100
"""The largest page of comments that WordPress allows."""
Status = Literal["approved", "hold", "spam", "trash"]
Shape = TypeVar("Shape")
_OF_TRANSFER = (b"content-encoding", b"content-length", b"transfer-encoding")
_TRIES = 4
_LONGEST_WAIT_S = 60
_MOST_BYTES = 64 * 2**20
"""Limit of one answer, unpacked; a page of comments with their articles takes a few MiB."""
_MOST_S = 120.0
"""Limit of reading one answer: a time-out for each byte would never end a slow one."""
_CODE = re.compile(r"[a-z0-9_-]{1,60}")


class WordPressError(BelowlineError):
    """WordPress cannot be used; the message is one line without password and comment."""


class Unreachable(WordPressError):
    """WordPress does not answer, or not now; a later try may succeed."""


class Refused(WordPressError):
    """WordPress refuses one request; others may succeed."""


class _Id(BaseModel):
    id: int = Field(ge=1)


class _Status(_Id):
    status: str


class _Text(_Id):
    content: RawText


class _Editable(_Text, _Status):
    author_ip: str
    author_user_agent: str


class _Root(BaseModel):
    namespaces: list[str]
    home: str = ""


class WordPress:
    """The comments of one site that ``user`` may moderate. All calls block and may raise WordPressError."""

    def __init__(
        self,
        site: httpx.URL,
        user: str,
        password: str,
        *,
        transport: httpx.BaseTransport | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """``site`` is a result of ``address_of``."""
        self.site, self.user = site, user
        self._wait = wait
        # httpx unpacks other encodings too, but only gzip is limited to a thousandfold growth from piece to piece.
        headers = {"User-Agent": "belowline", "Accept-Encoding": "gzip"}
        self._client = httpx.Client(auth=(user, password), timeout=30, headers=headers, transport=transport)
        self._root = site
        self._home = site.host

    def __enter__(self) -> Self:
        self._root = self._find_root()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def name(self) -> str:
        """The site's name in the queue, such as ``paper.example`` or ``paper.example-blog``."""
        port = f":{self.site.port}" if self.site.port else ""
        return site_name(f"{self.site.raw_host.decode('ascii')}{port}{self.site.path}")

    def held(self) -> list[int]:
        """Ids of the comments on hold, oldest first."""
        wanted: dict[str, Any] = {"status": "hold", "orderby": "id", "order": "asc", "_fields": "id"}
        ids: dict[int, None] = {}
        page, pages = 1, 1
        while page <= pages:
            answer = self._get("wp/v2/comments", context="edit", per_page=PAGE, page=page, **wanted)
            listed = self._read(answer, list[_Id])
            ids |= dict.fromkeys(comment.id for comment in listed)
            pages = _number(answer, "X-WP-TotalPages") or 0 if listed else 0
            page += 1
        return list(ids)

    def comments(self, ids: Sequence[int]) -> list[RemoteComment]:
        """Those of ``ids``, at most a page, that are still on hold, with their posts and parents."""
        fields = "id,post,parent,author,author_name,author_email,author_url,date_gmt,content,_links,_embedded"
        wanted = {"status": "hold", "_embed": "up,in-reply-to", "_fields": fields}
        return self._read(self._list(ids, **wanted), list[RemoteComment])

    def statuses(self, ids: Sequence[int]) -> dict[int, str]:
        """The statuses of ``ids``, at most a page, without deleted comments."""
        # "all" would leave out spam and trash.
        answer = self._list(ids, status="any", _fields="id,status")
        return {comment.id: comment.status for comment in self._read(answer, list[_Status])}

    def altered_by_change(self, ids: Sequence[int]) -> set[int]:
        """Those of ``ids``, at most a page, whose text a status change would alter."""
        if not ids:
            return set()
        stored = self._read(self._list(ids, status="any", _fields="id,content"), list[_Text])
        return {comment.id for comment in stored if not survives(comment.content.raw, self._home)}

    def change(self, comment: int, seen: str, status: Status) -> Literal["later", "leave"] | None:
        """Sets a comment's status, and returns the reason if it does not.

        ``later``: the status is not ``seen`` any more; ``leave``: the text would change. Raises Refused if WordPress
        refuses the change, and WordPressError if the text did change, for example because of a plugin of the site.
        """
        path = f"wp/v2/comments/{comment}"
        fields = "id,status,content,author_ip,author_user_agent"
        present = self._read(self._get(path, context="edit", _fields=fields), _Editable)
        if present.status != seen:
            return "later"
        if not survives(present.content.raw, self._home):
            return "leave"
        # WordPress takes a change for the author's own and would store our address and program as theirs.
        author = {"author_ip": present.author_ip, "author_user_agent": present.author_user_agent}
        values = {"status": status, **{name: value for name, value in author.items() if value}}
        headers = {} if present.author_user_agent else {"User-Agent": ""}
        answer = self._call("POST", self._address(path, {}), json=values, headers=headers)
        if self._read(answer, _Text).content.raw != present.content.raw:
            # The old text cannot be put back over REST: it would pass the same filters again.
            raise WordPressError(
                f"{self.site} altered the text of comment {comment} when its status changed; a plugin of the site "
                "may filter comments. The bridge stopped: use belowline's plugin, or decide comments in wp-admin"
            )
        return None

    def _list(self, ids: Sequence[int], **wanted: str) -> httpx.Response:
        include = ",".join(map(str, ids))
        order = {"orderby": "id", "order": "asc"}
        return self._get("wp/v2/comments", context="edit", include=include, per_page=PAGE, **order, **wanted)

    def _get(self, path: str, **wanted: Any) -> httpx.Response:
        return self._call("GET", self._address(path, wanted))

    def _address(self, path: str, wanted: Mapping[str, Any]) -> httpx.URL:
        """An address below the API's root, which is a parameter if the site has plain permalinks."""
        if "rest_route" in self._root.params:
            address = self._root.copy_set_param("rest_route", f"/{path}")
        else:
            address = self._root.copy_with(path=f"{self._root.path.rstrip('/')}/{path}")
        return address.copy_merge_params(dict(wanted))

    def _find_root(self) -> httpx.URL:
        """The API's root: the usual address, or a parameter, which works whatever the site's permalinks are."""
        refused = ""
        for root in (self.site.join("wp-json/"), self.site.copy_merge_params({"rest_route": "/"})):
            try:
                answer = self._call("GET", root.copy_merge_params({"_fields": "namespaces,home"}))
                api = self._read(answer, _Root)
            except Refused as error:
                refused = f" ({error})"
                continue
            if "wp/v2" in api.namespaces:
                home = _url(api.home)
                self._home = home.host if home is not None and home.host else self.site.host
                return root
        raise WordPressError(
            f"{self.site} has no WordPress REST API with comments, or it is switched off{refused}; "
            "check the address, and plugins that switch it off"
        )

    def _call(self, method: str, url: httpx.URL, **more: Any) -> httpx.Response:
        """A successful answer; raises WordPressError for any other."""
        answer = self._send(method, url, **more)
        if answer.is_success:
            return answer
        code = _error_code(answer)
        if answer.status_code == 401:
            raise WordPressError(
                f"{self.site} does not accept user {self.user} with this application password ({code}); "
                "create one under Users > Profile, and check that the web server passes the Authorization header on"
            )
        if answer.status_code == 403:
            raise Refused(
                f"{self.user} may not moderate these comments on {self.site} ({code}); "
                "the user must be an editor or administrator"
            )
        raise Refused(f"{self.site} answers {answer.status_code} ({code})")

    def _send(self, method: str, url: httpx.URL, **more: Any) -> httpx.Response:
        """The answer, after retries while WordPress cannot answer; redirects are not followed."""
        for attempt in range(1, _TRIES + 1):
            wait = 2.0 ** (attempt - 1)
            try:
                answer = self._whole(method, url, **more)
            except httpx.HTTPError as error:
                why = f"cannot be reached ({type(error).__name__})"
            else:
                if answer.status_code != 429 and not _is_down(answer):
                    return answer
                why = f"answers {answer.status_code}"
                asked = _number(answer, "Retry-After")
                wait = wait if asked is None else min(asked, _LONGEST_WAIT_S)
            if attempt < _TRIES:
                self._wait(wait)
        raise Unreachable(f"{self.site} {why}, {_TRIES} times; try again later")

    def _whole(self, method: str, url: httpx.URL, **more: Any) -> httpx.Response:
        """The answer with its whole body; raises Refused if it is too large, too slow or not gzip."""
        with self._client.stream(method, url, **more) as answer:
            to = answer.next_request.url if answer.next_request else None
            if to is not None and _origin(to) != _origin(self.site):
                where = to.copy_with(path="/", query=None)
                raise WordPressError(
                    f"{self.site} redirects to {where}; if that is your site, give it as --site"
                )
            if answer.headers.get("Content-Encoding", "gzip").lower() not in ("gzip", "identity"):
                raise Refused(f"{self.site} compresses its answers in a way that was not asked for")
            began, body = monotonic(), bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _MOST_BYTES or monotonic() - began > _MOST_S:
                    raise Refused(f"{self.site} sends an answer without end; the bridge does not read it")
            headers = [pair for pair in answer.headers.raw if pair[0].lower() not in _OF_TRANSFER]
            return httpx.Response(
                answer.status_code, headers=headers, content=bytes(body), request=answer.request
            )

    def _read(self, answer: httpx.Response, shape: type[Shape]) -> Shape:
        try:
            return TypeAdapter(shape).validate_python(answer.json())
        except (ValidationError, ValueError, RecursionError):
            kind = "a web page" if "html" in answer.headers.get("Content-Type", "") else "something else"
            raise Refused(f"{self.site} answers with {kind} instead of the REST API's JSON") from None


def address_of(site: str) -> httpx.URL:
    """The address of a site, with a final slash; raises WordPressError for an address that must not get a password."""
    url = _url(site)
    if url is None or url.scheme not in ("http", "https") or not url.host:
        raise WordPressError("--site takes an address such as https://paper.example")
    if url.userinfo or url.query or url.fragment:
        raise WordPressError("--site takes an address without user, password or query; see --user")
    if url.scheme == "http" and not _on_loopback(url.host):
        raise WordPressError(
            f"--site {url} is not https, so others could read the password; give the https address"
        )
    return url.copy_with(path=url.path.rstrip("/") + "/")


def _url(text: str) -> httpx.URL | None:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:
        return None


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _on_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_down(answer: httpx.Response) -> bool:
    """True if the server fails, False if WordPress refuses one change."""
    return answer.status_code >= 500 and _error_code(answer) != "rest_comment_failed_edit"


def _number(answer: httpx.Response, header: str) -> int | None:
    value = answer.headers.get(header, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None


def _error_code(answer: httpx.Response) -> str:
    """WordPress's code for an error; its message is left out, because it may contain anything."""
    try:
        code = answer.json()["code"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return "no code"
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "no code"
