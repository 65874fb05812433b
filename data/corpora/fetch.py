"""Copies corpora from a local mirror or downloads them from their publishers, and verifies their checksums.

The registry's checksums are those of the *prepared* files: user handles and the rows of the project's unseen
final tests were taken out, and some files were converted. A published file therefore verifies only where preparing
changed nothing; any other download is refused, never kept unverified, and a mirror of prepared files is needed.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from belowline.data.corpora import Corpus, Upstream
from belowline.model.errors import BelowlineError

UPSTREAM_URL = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
"""Address of a published file."""

_CHUNK = 1 << 18
_TIMEOUT = 30.0
_USE_MIRROR = "use --mirror DIR with a folder of the prepared corpora"

_OnBytes = Callable[[str, int], None]


class FetchError(BelowlineError):
    """Some files could not be fetched; the message has one line for each: file, reason and remedy."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Outcome for one file."""

    corpus: str
    file: str
    outcome: Literal["present", "copied", "downloaded"]


class _Refused(FetchError):
    """An origin does not provide the file."""


def fetch(
    corpora: Iterable[Corpus],
    destination: Path,
    mirror: Path | None = None,
    *,
    console: Console | None = None,
    url: str = UPSTREAM_URL,
) -> list[Fetched]:
    """Fetch every file of ``corpora`` that ``destination`` lacks.

    Files with the right checksum are left alone, so an interrupted run goes on where it stopped. A file appears
    under its name only when whole and verified. One that fails does not stop the others.

    Args:
        corpora: Entries of the registry.
        destination: Folder that gets one folder for each corpus.
        mirror: Folder in the same layout to copy from; None downloads.
        console: Shows progress; None shows nothing.
        url: Template of the download addresses, with ``{repository}``, ``{commit}`` and ``{path}``.

    Raises:
        FetchError: After the last file, if any failed.
    """
    wanted = [(corpus, file) for corpus in corpora for file in corpus.files]
    results: list[Fetched] = []
    problems: list[str] = []
    with _progress(console or Console(quiet=True)) as bar:
        task = bar.add_task("", total=len(wanted), bytes=0)

        def on_bytes(name: str, count: int) -> None:
            bar.update(task, description=name, bytes=bar.tasks[task].fields["bytes"] + count)

        for corpus, file in wanted:
            target = destination / corpus.folder / file
            try:
                results.append(_fetch_one(corpus, target, mirror, on_bytes, url))
            except _Refused as refusal:
                problems.append(str(refusal))
            except OSError as error:
                reason = error.strerror or str(error)
                problems.append(f"{target}: cannot be written ({reason}); check the folder and its space")
            bar.advance(task)
    if problems:
        raise FetchError("\n".join([f"{len(problems)} of {len(wanted)} files failed", *problems]))
    return results


def _progress(console: Console) -> Progress:
    size = TextColumn("{task.fields[bytes]:,} bytes")
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        size,
        TextColumn("{task.description}"),
        console=console,
        transient=True,
    )


def _fetch_one(corpus: Corpus, target: Path, mirror: Path | None, on_bytes: _OnBytes, url: str) -> Fetched:
    file, checksum = target.name, corpus.files[target.name]
    if target.is_file() and checksum_of(target) == checksum:
        return Fetched(corpus.name, file, "present")
    if mirror:
        _copy(mirror / corpus.folder / file, target, checksum, on_bytes)
        return Fetched(corpus.name, file, "copied")
    _download(corpus, target, checksum, on_bytes, url)
    return Fetched(corpus.name, file, "downloaded")


def _copy(source: Path, target: Path, checksum: str, on_bytes: _OnBytes) -> None:
    try:
        stream = source.open("rb")
    except OSError as error:
        raise _Refused(f"{source}: not in the mirror ({error.strerror}); check --mirror") from error
    with stream:
        found = _store(iter(lambda: stream.read(_CHUNK), b""), target, checksum, on_bytes)
    if found != checksum:
        raise _Refused(f"{source}: its SHA-256 is not the registry's; get a clean copy of the mirror")


def _download(corpus: Corpus, target: Path, checksum: str, on_bytes: _OnBytes, url: str) -> None:
    refusals = []
    for upstream, path in _candidates(corpus, target.name):
        address = url.format(repository=upstream.repository, commit=upstream.commit, path=quote(path))
        try:
            with httpx.stream("GET", address, timeout=_TIMEOUT, follow_redirects=True) as answer:
                answer.raise_for_status()
                if _store(answer.iter_bytes(_CHUNK), target, checksum, on_bytes) == checksum:
                    return
            refusals.append(f"{address}: not the prepared file (its SHA-256 is not the registry's)")
        except httpx.HTTPStatusError as error:
            refusals.append(f"{address}: HTTP {error.response.status_code}")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            refusals.append(f"{address}: cannot be downloaded ({error})")
    if not refusals:
        refusals.append(f"{target.name}: prepared from files with other names ({_origins(corpus)})")
    raise _Refused("; ".join([*refusals, _USE_MIRROR]))


def _candidates(corpus: Corpus, file: str) -> Iterator[tuple[Upstream, str]]:
    """Possible origins of the file: a folder that the registry names, or a path that ends in its name."""
    for upstream in corpus.upstream:
        if not upstream.path or upstream.path.endswith("/"):
            yield upstream, upstream.path + file
        elif PurePosixPath(upstream.path).name == file:
            yield upstream, upstream.path


def _origins(corpus: Corpus) -> str:
    return ", ".join(f"{upstream.repository}@{upstream.commit[:10]}" for upstream in corpus.upstream)


def _store(chunks: Iterable[bytes], target: Path, checksum: str, on_bytes: _OnBytes) -> str:
    """Write the chunks to the target if their checksum is right; return their checksum."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    digest = hashlib.sha256()
    try:
        with os.fdopen(descriptor, "wb") as part:
            for chunk in chunks:
                digest.update(chunk)
                part.write(chunk)
                on_bytes(f"{target.parent.name}/{target.name}", len(chunk))
        if digest.hexdigest() == checksum:
            Path(temporary).chmod(0o644)
            Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return digest.hexdigest()


def checksum_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
