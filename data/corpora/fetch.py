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
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from belowline.data.corpora import Corpus
from belowline.model.errors import BelowlineError

UPSTREAM_URL = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
"""Address of a published file."""

_CHUNK = 1 << 18
_TIMEOUT = 30.0

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
    """The file cannot be had from an origin, or from any."""


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
    size = TextColumn("{task.fields[bytes]:,} bytes")
    columns = (BarColumn(), MofNCompleteColumn(), size, TextColumn("{task.description}"))
    with Progress(*columns, console=console or Console(quiet=True), transient=True) as bar:
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


def _fetch_one(corpus: Corpus, target: Path, mirror: Path | None, on_bytes: _OnBytes, url: str) -> Fetched:
    file, checksum = target.name, corpus.files[target.name]
    if target.is_file() and checksum_of(target) == checksum:
        return Fetched(corpus.name, file, "present")
    origins = [mirror / corpus.folder / file] if mirror else list(_addresses(corpus, file, url))
    problems = []
    for origin in origins:
        try:
            _store(_chunks(origin), target, checksum, on_bytes)
            return Fetched(corpus.name, file, "copied" if mirror else "downloaded")
        except _Refused as refusal:
            problems.append(f"{origin}: {refusal}")
    if not problems:
        upstream = ", ".join(f"{origin.repository}@{origin.commit[:10]}" for origin in corpus.upstream)
        problems.append(f"{file}: prepared from files with other names ({upstream})")
    raise _Refused("; ".join([*problems, "use --mirror DIR with a clean copy of the prepared corpora"]))


def _addresses(corpus: Corpus, file: str, url: str) -> Iterator[str]:
    """Possible addresses of the file: in a folder that the registry names, or at a path that ends in its name."""
    for origin in corpus.upstream:
        folder, _, name = origin.path.rpartition("/")
        if not name or name == file:
            path = quote(f"{folder}/{file}".removeprefix("/"))
            yield url.format(repository=origin.repository, commit=origin.commit, path=path)


def _chunks(origin: Path | str) -> Iterator[bytes]:
    """The content of a file of a mirror or of an address; raises _Refused."""
    try:
        if isinstance(origin, Path):
            with origin.open("rb") as stream:
                yield from iter(lambda: stream.read(_CHUNK), b"")
        else:
            with httpx.stream("GET", origin, timeout=_TIMEOUT, follow_redirects=True) as answer:
                answer.raise_for_status()
                yield from answer.iter_bytes(_CHUNK)
    except OSError as error:
        raise _Refused(f"not in the mirror ({error.strerror})") from error
    except httpx.HTTPStatusError as error:
        raise _Refused(f"HTTP {error.response.status_code}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Refused(f"cannot be downloaded ({error})") from error


def _store(chunks: Iterable[bytes], target: Path, checksum: str, on_bytes: _OnBytes) -> None:
    """Write the chunks to the target; raises _Refused, and leaves the target alone, if their checksum is wrong."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    digest = hashlib.sha256()
    try:
        with os.fdopen(descriptor, "wb") as part:
            for chunk in chunks:
                digest.update(chunk)
                part.write(chunk)
                on_bytes(f"{target.parent.name}/{target.name}", len(chunk))
        if digest.hexdigest() != checksum:
            raise _Refused("not the prepared file (its SHA-256 is not the registry's)")
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def checksum_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
