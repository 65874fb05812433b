"""Unpacks gzip, zip and zstd files: one member at a time, each into a temporary file, within limits."""

import functools
import gzip
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, cast

import zstandard

from belowline.data.comment import ReadError, Report, refuse

MAX_BYTES = 50 * 10**9
"""Limit of the unpacked bytes of one container, all members together."""

MAX_RATIO = 1000
"""Limit of unpacked size / packed size, checked from ``RATIO_FROM`` unpacked bytes."""

RATIO_FROM = 100 * 10**6
"""Unpacked bytes up to which any ratio is accepted: short files of repeated text compress well."""

MAX_DEPTH = 2
"""Nesting of containers: a gzip file in a zip file is read, a zip file in that gzip file is not."""

_Stream = IO[bytes] | gzip.GzipFile
_Opening = Callable[[], _Stream]
_CHUNK = 2**20
_GZIP, _ZIP, _ZSTD = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06"), b"\x28\xb5\x2f\xfd"
_STARTS = (_GZIP, *_ZIP, _ZSTD)
_LONGEST_WINDOW = 2**31
"""Memory that a zstd file may ask for; the dumps of Pushshift do."""
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2})
_ENCRYPTED = 0x1
_BROKEN = (
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    zstandard.ZstdError,
)

_WORKBOOKS = frozenset({"xl/workbook.xml", "xl/workbook.bin"})
"""Members by which a workbook of Excel is known."""


@dataclass(frozen=True, slots=True)
class Member:
    """An unpacked file: ``name`` for messages, ``path`` of the temporary file, which has the same suffix."""

    name: str
    path: Path


def is_container(head: bytes) -> bool:
    """True if a file that starts with ``head`` is a gzip, zip or zstd file."""
    return head.startswith(_STARTS)


def unpack(
    path: Path, may_read: Callable[[PurePosixPath], bool], report: Report = refuse
) -> Iterator[Member]:
    """The members of a container, zip members sorted by name. Each exists until the next one is requested.

    Args:
        path: A gzip, zip or zstd file.
        may_read: Selects members of a zip file by name; containers among them are unpacked too.
        report: Called with the error of a broken member; the next member follows.

    Raises:
        ReadError: For broken, encrypted, empty or too deeply nested containers, and for those that unpack to
            more than the limits of this module. Members before it have been yielded by then.
    """
    with TemporaryDirectory(prefix="belowline-") as folder:
        budget = _Budget(path.stat().st_size)
        yield from _members(Member(str(path), path), Path(folder), budget, may_read, report, 1)


@dataclass(slots=True)
class _Budget:
    """Counts the unpacked bytes of a container: the sizes in zip headers cannot be trusted."""

    packed: int
    unpacked: int = 0
    exceeded: bool = False

    def spend(self, size: int, name: str) -> None:
        self.unpacked += size
        allowed = min(MAX_BYTES, max(RATIO_FROM, self.packed * MAX_RATIO))
        self.exceeded = self.unpacked > allowed
        if self.exceeded:
            reason = f"the container unpacks to more than {MAX_BYTES} bytes; unpack it yourself"
            if allowed < MAX_BYTES:
                reason = (
                    f"the container unpacks to more than {MAX_RATIO} times the container's size, like a zip bomb; "
                    "unpack it yourself if you trust it"
                )
            raise ReadError(reason, name)


def _members(
    container: Member,
    folder: Path,
    budget: _Budget,
    may_read: Callable[[PurePosixPath], bool],
    report: Report,
    depth: int,
) -> Iterator[Member]:
    if depth > MAX_DEPTH:
        raise ReadError("containers nested too deeply; unpack the outer ones", container.name)
    for name, opening in _contents(container, may_read):
        # Never a name from the container: it could lead out of the temporary folder.
        member = Member(name, folder / f"{depth}{_suffix(name, container)}")
        try:
            _unpack_one(opening, member, budget)
            if _starts_with(member.path, _STARTS):
                yield from _members(member, folder, budget, may_read, report, depth + 1)
            else:
                yield member
        except ReadError as error:
            if budget.exceeded:
                raise
            report(error)
        finally:
            member.path.unlink(missing_ok=True)


def _starts_with(path: Path, starts: tuple[bytes, ...]) -> bool:
    with path.open("rb") as file:
        return file.read(4).startswith(starts)


def _suffix(name: str, container: Member) -> str:
    """The suffix of a member's name; the member of a gzip file is named like the file without .gz."""
    inner = re.sub(r"\.(?:gz|zst)$", "", name, flags=re.IGNORECASE) if name == container.name else name
    suffix = PurePosixPath(inner).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,10}", suffix) else ""


def _contents(container: Member, may_read: Callable[[PurePosixPath], bool]) -> Iterator[tuple[str, _Opening]]:
    """Name of each member, and a function that opens it."""
    if _starts_with(container.path, (_ZSTD,)):
        yield container.name, lambda: _open_zstd(container.path)
        return
    if not _starts_with(container.path, _ZIP):
        yield container.name, lambda: gzip.GzipFile(container.path)
        return
    try:
        archive = zipfile.ZipFile(container.path)
    except _BROKEN as error:
        raise _broken(error, container.name) from error
    with archive:
        if not _WORKBOOKS.isdisjoint(archive.namelist()):
            raise ReadError("a workbook; save the sheet as CSV UTF-8 (comma delimited)", container.name)
        chosen = [
            info
            for info in archive.infolist()
            if info.filename
            and not info.is_dir()
            and may_read(PurePosixPath(info.filename.replace("\\", "/")))
        ]
        if not chosen:
            raise ReadError(
                "the zip file holds no archives; see data/README.md for the suffixes", container.name
            )
        for info in sorted(chosen, key=lambda info: info.filename):
            name = f"{container.name}/{_printable(info.filename)}"
            yield name, functools.partial(_open_member, archive, info, name)


def _open_zstd(path: Path) -> _Stream:
    file = path.open("rb")
    decompressor = zstandard.ZstdDecompressor(max_window_size=_LONGEST_WINDOW)
    return cast(IO[bytes], decompressor.stream_reader(file, read_across_frames=True, closefd=True))


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> _Stream:
    if info.flag_bits & _ENCRYPTED:
        raise ReadError("encrypted; unpack it with its password, then read the folder", name)
    if info.compress_type not in _METHODS:
        raise ReadError(f"compressed with zip's method {info.compress_type}; compress it with deflate", name)
    return archive.open(info)


def _unpack_one(opening: _Opening, member: Member, budget: _Budget) -> None:
    """Unpacks a member to its temporary file; raises ReadError for a broken member, a bomb or a full disk."""
    try:
        with opening() as stream, member.path.open("wb") as target:
            while chunk := stream.read(_CHUNK):
                budget.spend(len(chunk), member.name)
                _write(target, chunk, member.name)
    except _BROKEN as error:
        raise _broken(error, member.name) from error


def _write(target: IO[bytes], chunk: bytes, name: str) -> None:
    try:
        target.write(chunk)
        target.flush()
    except OSError as error:
        reason = f"cannot be unpacked ({error.strerror}); free disk space, or set TMPDIR to another disk"
        raise ReadError(reason, name) from error


def _broken(error: Exception, name: str) -> ReadError:
    return ReadError(f"broken or truncated ({_printable(str(error))}); download or pack it again", name)


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
