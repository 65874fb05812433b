"""Exports of WordPress and Disqus that tests write."""

from xml.sax.saxutils import escape

WXR = """<?xml version="1.0" encoding="{encoding}" ?>
<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/{version}/excerpt/"
  xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:wp="http://wordpress.org/export/{version}/">
<channel><title>Site</title><wp:wxr_version>{version}</wp:wxr_version>
{items}
</channel></rss>
"""


DISQUS = """<?xml version="1.0" encoding="utf-8"?>
<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals">
{records}
</disqus>
"""


def wxr(*items: str, version: str = "1.2", encoding: str = "UTF-8") -> str:
    return WXR.format(items="\n".join(items), version=version, encoding=encoding)


def item(*entries: str, title: str = "Tram", content: str = "") -> str:
    return (
        f"<item><title>{title}</title><link>https://example.com/tram</link>"
        f"<content:encoded><![CDATA[{content}]]></content:encoded>"
        f"<excerpt:encoded><![CDATA[not this]]></excerpt:encoded>{''.join(entries)}</item>"
    )


def entry(content: str = "Well.", **fields: str) -> str:
    given = {"id": "7", "author": "Ann", "date_gmt": "2024-05-09 07:12:00", "approved": "1", "parent": "0"}
    inner = "".join(f"<wp:comment_{k}>{escape(v)}</wp:comment_{k}>" for k, v in (given | fields).items())
    return f"<wp:comment>{inner}<wp:comment_content><![CDATA[{content}]]></wp:comment_content></wp:comment>"


def disqus(*records: str) -> str:
    return DISQUS.format(records="\n".join(records))


def thread(id: str, title: str = "Tram") -> str:
    return f'<thread dsq:id="{id}"><id/><link>https://example.com/{id}</link><title>{title}</title></thread>'


def post(
    id: str, in_thread: str, message: str = "<p>Well.</p>", parent: str = "", at: str = "07:12", **flags: str
) -> str:
    marks = "".join(f"<{k}>{v}</{k}>" for k, v in ({"isDeleted": "false", "isSpam": "false"} | flags).items())
    answer = f'<parent dsq:id="{parent}"/>' if parent else ""
    return (
        f'<post dsq:id="{id}"><id/><message><![CDATA[{message}]]></message>'
        f"<createdAt>2024-05-09T{at}:00Z</createdAt>{marks}"
        f'<author><name>Ann</name></author><thread dsq:id="{in_thread}"/>{answer}</post>'
    )
