"""WARC files that tests write."""

import io

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter


def page(title: str, *comments: str) -> bytes:
    items = "".join(
        f'<li id="comment-{number}"><b class="fn">Ann</b><div class="comment-content">{text}</div></li>'
        for number, text in enumerate(comments, start=1)
    )
    return f"<!DOCTYPE html><title>{title}</title><main>Body of {title}.</main><ol>{items}</ol>".encode()


class Archive:
    """A WARC file in the making."""

    def __init__(self, zipped: bool = True) -> None:
        self.out = io.BytesIO()
        self.writer = WARCWriter(self.out, gzip=zipped)
        self.writer.write_record(self.writer.create_warcinfo_record("a.warc", {"software": "test"}))

    def add(
        self, url, payload, *, type="text/html; charset=utf-8", status="200 OK", date="2024-05-09", more=()
    ):
        http = StatusAndHeaders(status, [("Content-Type", type), *more], protocol="HTTP/1.1")
        record = self.writer.create_warc_record(
            url,
            "response",
            payload=io.BytesIO(payload),
            http_headers=http,
            warc_headers_dict={"WARC-Date": f"{date}T00:00:00Z"},
        )
        self.writer.write_record(record)
        return self

    def bytes(self) -> bytes:
        return self.out.getvalue()


def small(zipped: bool = True) -> Archive:
    archive = Archive(zipped)
    archive.add("https://a.example/1", page("One", "First.", "Second."))
    archive.add("https://a.example/p.png", b"\x89PNG", type="image/png")
    archive.add("https://a.example/gone", page("Gone"), status="404 Not Found")
    return archive.add("https://a.example/2", page("Two", "Third."))
