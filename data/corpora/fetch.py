"""Copies corpora from a local mirror or downloads them from their publishers, and verifies their checksums.

The registry's checksums are those of the *prepared* files: user handles and the rows of the project's unseen
final tests were taken out, and some files were converted. A published file therefore verifies only where preparing
changed nothing; any other download is refused, never kept unverified, and a mirror of prepared files is needed.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

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
    if _store(stream, target, checksum, on_bytes) != checksum:
        raise _Refused(f"{source}: its SHA-256 is not the registry's; get a clean copy of the mirror")


def _download(corpus: Corpus, target: Path, checksum: str, on_bytes: _OnBytes, url: str) -> None:
    refusals = []
    for upstream, path in _candidates(corpus, target.name):
        address = url.format(repository=upstream.repository, commit=upstream.commit, path=quote(path))
        try:
            if _store(_open(address), target, checksum, on_bytes) == checksum:
                return
            refusals.append(f"{address}: not the prepared file (its SHA-256 is not the registry's)")
        except _Refused as refusal:
            refusals.append(str(refusal))
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


def _open(address: str) -> AbstractContextManager[BinaryIO]:
    if not address.startswith(("https://", "http://")):
        raise _Refused(f"{address}: not a web address; check the template")
    try:
        stream: AbstractContextManager[BinaryIO] = urlopen(address, timeout=_TIMEOUT)  # noqa: S310 (checked above)
    except HTTPError as error:
        raise _Refused(f"{address}: HTTP {error.code}") from error
    except (OSError, HTTPException) as error:
        raise _Refused(f"{address}: cannot be reached ({getattr(error, 'reason', error)})") from error
    return stream


def _store(stream: AbstractContextManager[BinaryIO], target: Path, checksum: str, on_bytes: _OnBytes) -> str:
    """Write the stream to the target if its checksum is right; return its checksum."""
    with stream as source:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as part:
                found = _transfer(source, part, f"{target.parent.name}/{target.name}", on_bytes)
            if found == checksum:
                Path(temporary).chmod(0o644)
                Path(temporary).replace(target)
        finally:
            Path(temporary).unlink(missing_ok=True)
    return found


def _transfer(source: BinaryIO, part: BinaryIO, name: str, on_bytes: _OnBytes) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(source, name):
        digest.update(chunk)
        part.write(chunk)
        on_bytes(name, len(chunk))
    return digest.hexdigest()


def _chunks(source: BinaryIO, name: str) -> Iterator[bytes]:
    while True:
        try:
            chunk = source.read(_CHUNK)
        except (OSError, HTTPException) as error:
            raise _Refused(f"{name}: broke off while it was read ({error}); try again") from error
        if not chunk:
            return
        yield chunk


def checksum_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
