"""Lines that are too long, are not UTF-8, or end a row of CSV in the wrong place."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from belowline.data import ReadError, Reject, Thread, read_threads
from belowline.data.archives import lines
from belowline.data.archives.lines import CsvRows, lines_of


def numbered(content: bytes) -> list[tuple[int, str, str | None]]:
    return [
        (line.number, line.text, line.problem and line.problem.reason)
        for line in lines_of(io.BytesIO(content))
    ]


def rows(content: bytes, width: int = 2) -> list[tuple[int, list[str] | str]]:
    found = CsvRows(lines_of(io.BytesIO(content)), ",", width)
    return [(line, cells.reason if isinstance(cells, ReadError) else cells) for line, cells in found]


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE", 40)


def test_lines_are_numbered_and_decoded():
    assert numbered(b"\xef\xbb\xbfone\n\ntwo\r\nthree") == [
        (1, "one\n", None),
        (2, "\n", None),
        (3, "two\r\n", None),
        (4, "three", None),
    ]
    assert numbered(b"") == []


def test_the_wrong_byte_is_counted_from_the_start_of_the_file():
    (_, _, problem), (_, text, none) = numbered(b"\xef\xbb\xbfcaf\xe9\nx\n")
    assert problem.startswith("byte 7 ")
    assert (text, none) == ("x\n", None)


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("size", [40, 41, 100, 5_000_000])
def test_lines_that_are_too_long_are_passed_over(short, size, end):
    found = numbered(b"x" * (size - len(end)) + end + (b"next\n" if end else b""))
    assert found[0][0] == 1
    assert (found[0][2] is None) == (size <= 40)
    if size > 40:
        assert found[0][1] == ""
        assert found[0][2].startswith(f"{size} bytes")
    assert found[1:] == ([(2, "next\n", None)] if end else [])


def read(path, content: bytes) -> tuple[list[Thread], list[Reject]]:
    path.write_bytes(content)
    rejects: list[Reject] = []
    return list(read_threads(path, on_reject=rejects.append)), rejects


@pytest.mark.parametrize(
    ("name", "content", "positions"),
    [
        ("a.jsonl", b'{"text": "One."}\n{"text": "%s"}\n{"text": "Two."}\n', [2]),
        ("a.csv", b"text\nOne.\n%s\nTwo.\n", [3]),
        ("a.csv", b'text\nOne.\n"a\n%s\nb"\nTwo.\n', [3, 4]),
    ],
)
def test_reading_goes_on_after_a_line_that_is_too_long(tmp_path, short, name, content, positions):
    threads, rejects = read(tmp_path / name, content % (b"x" * 5_000))
    found = [comment.text for thread in threads for comment in thread.comments]
    assert (found[0], found[-1]) == ("One.", "Two.")
    assert [reject.position for reject in rejects] == positions
    assert any("bytes long" in reject.reason for reject in rejects)
    with pytest.raises(ReadError, match=f"line {positions[0]}: "):
        list(read_threads(tmp_path / name))


def test_a_header_that_is_too_long_is_refused(tmp_path, short):
    threads, rejects = read(tmp_path / "a.csv", b"\n" + b"x," * 50 + b"\nOne.\n")
    assert (threads, [reject.position for reject in rejects]) == ([], [2])


def test_rows_run_over_lines():
    assert rows(b'a,b\n\n"c\nd",e\n,\nf\n') == [(1, ["a", "b"]), (3, ["c\nd", "e"]), (6, ["f"])]


def test_a_row_with_a_lost_quote_does_not_take_those_below_with_it():
    content = b'a,"b\nc,d\ne\n\nf,"g"\nh\n'
    found = rows(content)
    assert [line for line, _ in found] == [1, 2, 3, 5, 6]
    assert str(found[0][1]).startswith("not valid CSV")
    assert found[1] == (2, ["c", "d"])
    assert str(found[2][1]).startswith("row has 1 of 2 fields")
    assert found[3:] == [(5, ["f", "g"]), (6, ["h"])]


def test_rows_that_never_end_are_bounded(short, monkeypatch):
    monkeypatch.setattr(lines, "_LINE_COST", 1)
    found = rows(b'a,"b\n' + b"c,d\n" * 30)
    assert [line for line, _ in found] == list(range(1, 32))
    assert "40 bytes" in str(found[0][1])
    assert found[1:] == [(line, ["c", "d"]) for line in range(2, 32)]


def test_lines_are_read_again_only_a_few_times(monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE", 20_000)
    taken = 0

    count = 3_000
    # Each line opens a quote: reading again from every line would be quadratic.
    found = CsvRows(lines_of(io.BytesIO(b'a","b\n' * count)), ",", 2)
    texts = found._texts

    def counting():
        nonlocal taken
        for text in texts():
            taken += 1
            yield text

    monkeypatch.setattr(found, "_texts", counting)
    assert {type(cells) for _, cells in found} == {ReadError}
    assert taken <= 6 * count


SCRIPT = """
import re, sys
from pathlib import Path
from belowline.data import read_threads
rejects = []
threads = list(read_threads(Path(sys.argv[1]), on_reject=rejects.append))
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())
print(len(threads), [reject.position for reject in rejects], peak[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_memory_stays_bounded_whatever_the_length_of_a_line(tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "One."}\n')
        file.seek(400_000_000, 1)  # a sparse region of zeros, which takes no disk space
        file.write(b'\n{"text": "Two."}\n')
    command = [sys.executable, "-c", SCRIPT, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    threads, position, kilobytes = done.stdout.split()
    assert (threads, position) == ("1", "[2]")
    assert int(kilobytes) < 300_000


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('1,"Quoted" start', ["1", '"Quoted" start']),
        ('1,"One" and "two"', ["1", '"One" and "two"']),
        ('"1","He said "yes" today"', ["1", 'He said "yes" today']),
        ('"1","He said ""no"" and "yes" today"', ["1", 'He said "no" and "yes" today']),
        ('"1","He said \\"no, no\\" today"', ["1", 'He said "no, no" today']),
    ],
)
def test_a_line_with_other_quotes_than_the_file(line, cells):
    assert rows(f'0,"a ""b"""\n{line}\n2,"c\nd"\n'.encode()) == [
        (1, ["0", 'a "b"']),
        (2, cells),
        (3, ["2", "c\nd"]),
    ]


def test_a_field_that_ends_in_a_backslash_beside_escaped_quotes(tmp_path):
    texts = [f'"{n}","So \\"it\\" is.",Ann' for n in range(3)]
    content = "\n".join(
        ["id,text,author", *texts, '"3","In C:\\","Bo"', '"4","In D:\\",Cy', '"5","Well.",Di', ""]
    )
    (thread,), rejects = read(tmp_path / "a.csv", content.encode())
    found = [comment.text for comment in thread.comments]
    assert found == [*['So "it" is.'] * 3, "In C:\\", "In D:\\", "Well."]
    assert rejects == []


def test_one_doubled_quote_beside_escaped_quotes(tmp_path):
    content = 'id,text\n1,"So \\"it\\", is."\n2,"A ""b"" c."\n3,"So \\"it\\" is \\"so\\"."\n'
    (thread,), rejects = read(tmp_path / "a.csv", content.encode())
    assert [comment.text for comment in thread.comments] == ['So "it", is.', 'A "b" c.', 'So "it" is "so".']
    assert rejects == []
