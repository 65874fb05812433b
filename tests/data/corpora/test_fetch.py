"""Corpora from a mirror and over HTTP."""

import hashlib
import http.server
import io
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from belowline.data.corpora import CORPORA, Corpus, Upstream, read_corpus
from belowline.data.corpora.fetch import Fetched, FetchError, fetch

CONTENT = b"text,label\nfine,0\n" * 40_000


def corpus(*upstream: tuple[str, str], files=("a.csv",), content=CONTENT) -> Corpus:
    return Corpus(
        name="toy",
        folder="toy",
        about="",
        use="train",
        licence="CC0-1.0",
        split="",
        columns="",
        upstream=tuple(Upstream(repository, "abc123", path) for repository, path in upstream),
        files={file: hashlib.sha256(content).hexdigest() for file in files},
    )


def outcomes(results: list[Fetched]) -> list[str]:
    return [result.outcome for result in results]


def problems(*arguments, **options) -> list[str]:
    """Return a line for each file that failed."""
    with pytest.raises(FetchError) as caught:
        fetch(*arguments, **options)
    return str(caught.value).split("\n")[1:]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def mirror(tmp_path):
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    (tmp_path / "mirror" / "toy" / "a.csv").write_bytes(CONTENT)
    return tmp_path / "mirror"


@pytest.fixture
def web(tmp_path):
    """A folder and the address template under which it is served."""
    root = tmp_path / "web"
    root.mkdir()
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *args: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root))) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield root, f"http://127.0.0.1:{server.server_port}/{{repository}}/{{commit}}/{{path}}"
        server.shutdown()


def publish(root: Path, path: str, content: bytes = CONTENT) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)


def test_mirror(tmp_path, mirror):
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120)
    assert outcomes(fetch([corpus()], tmp_path / "out", mirror, console=console)) == ["copied"]
    assert (tmp_path / "out" / "toy" / "a.csv").read_bytes() == CONTENT
    assert f"{len(CONTENT):,} bytes" in shown.getvalue()
    assert "toy/a.csv" in shown.getvalue()


def test_what_is_there_is_left_alone(tmp_path, mirror):
    fetch([corpus()], tmp_path / "out", mirror)
    (mirror / "toy" / "a.csv").unlink()
    assert outcomes(fetch([corpus()], tmp_path / "out", mirror)) == ["present"]


def test_damaged_file_is_replaced(tmp_path, mirror):
    publish(tmp_path, "out/toy/a.csv", b"half")
    assert outcomes(fetch([corpus()], tmp_path / "out", mirror)) == ["copied"]
    assert (tmp_path / "out" / "toy" / "a.csv").read_bytes() == CONTENT


def test_wrong_mirror_leaves_what_was_there(tmp_path, mirror):
    publish(mirror, "toy/a.csv", b"other")
    publish(tmp_path, "out/toy/a.csv", b"old")
    (problem,) = problems([corpus()], tmp_path / "out", mirror)
    assert str(mirror / "toy" / "a.csv") in problem
    assert "SHA-256" in problem
    assert (tmp_path / "out" / "toy" / "a.csv").read_bytes() == b"old"
    assert left_in(tmp_path / "out") == ["a.csv"]


def test_one_failure_does_not_stop_the_others(tmp_path, mirror):
    (problem,) = problems([corpus(files=("missing.csv", "a.csv"))], tmp_path / "out", mirror)
    assert "missing.csv: " in problem
    assert left_in(tmp_path / "out") == ["a.csv"]


def test_destination_that_cannot_be_written(tmp_path, mirror):
    (tmp_path / "out").write_text("a file, not a folder")
    (problem,) = problems([corpus()], tmp_path / "out", mirror)
    assert "cannot be written" in problem


@pytest.mark.parametrize("path", ["data/", "data/a.csv", "", "with space/"])
def test_download(tmp_path, web, path):
    root, url = web
    folder = path.removesuffix("a.csv")
    publish(root, f"org/repo/abc123/{folder}a.csv")
    assert outcomes(fetch([corpus(("org/repo", path))], tmp_path / "out", url=url)) == ["downloaded"]
    assert (tmp_path / "out" / "toy" / "a.csv").read_bytes() == CONTENT


def test_download_tries_every_origin(tmp_path, web):
    root, url = web
    publish(root, "two/repo/abc123/data/a.csv")
    toy = corpus(("one/repo", "data/"), ("two/repo", "data/"))
    assert outcomes(fetch([toy], tmp_path / "out", url=url)) == ["downloaded"]


def test_upstream_file_that_is_not_the_prepared_one_is_not_kept(tmp_path, web):
    root, url = web
    publish(root, "org/repo/abc123/data/a.csv", b"with handles")
    (problem,) = problems([corpus(("org/repo", "data/"))], tmp_path / "out", url=url)
    assert "prepared" in problem
    assert "--mirror" in problem
    assert left_in(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("toy", "url", "reason"),
    [
        (corpus(("org/repo", "data/")), None, "HTTP 404"),
        (corpus(("org/repo", "data/all.json")), None, "files with other names (org/repo@abc123)"),
        (corpus(("org/repo", "data/")), "http://127.0.0.1:9/{path}", "cannot be downloaded"),
        (corpus(("org/repo", "data/")), "file:///etc/{path}", "cannot be downloaded"),
    ],
)
def test_downloads_that_fail(tmp_path, web, toy, url, reason):
    (problem,) = problems([toy], tmp_path / "out", url=url or web[1])
    assert reason in problem
    assert "--mirror" in problem
    assert "\n" not in problem


def test_download_that_breaks_off(tmp_path):
    class Short(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:1000])

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Short) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{{path}}"
        (problem,) = problems([corpus(("org/repo", "data/"))], tmp_path / "out", url=url)
        server.shutdown()
    assert "cannot be downloaded" in problem
    assert left_in(tmp_path / "out") == []


def test_real_mirror(corpora, tmp_path):
    chosen = [CORPORA["youtube-spam"], CORPORA["hatemoji"]]
    assert set(outcomes(fetch(chosen, tmp_path, corpora))) == {"copied"}
    assert read_corpus("youtube-spam", tmp_path)
