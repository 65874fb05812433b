"""Reads a JSON file as a stream of values: the elements of one array, one object, or values after each other."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from belowline.data.comment import ReadError

LARGEST_VALUE = 2**28
"""Limit in characters of one value, such as one object with all its comments; an array is read in parts."""

_CHUNK = 2**20
_BETWEEN = re.compile(r"[\s,]*")
_CONTROLS_ALLOWED = json.JSONDecoder(strict=False)


def parse(text: str) -> object:
    """The value of a text in JSON, with control characters in its strings; raises ReadError."""
    try:
        return _CONTROLS_ALLOWED.decode(text)
    except json.JSONDecodeError as error:
        detail = f"{error.msg}, column {error.colno}"
        raise ReadError(f"not valid JSON ({detail}); write one object on each line") from None
    except (ValueError, RecursionError):
        raise ReadError("JSON with a number that is too long or with too many levels; shorten it") from None


def json_values(file: BinaryIO) -> Iterator[tuple[int, object | ReadError]]:
    """The values of a file in UTF-8 with their numbers from 1; after an error nothing follows.

    Bytes that are not UTF-8 are replaced. Memory is bounded by ``LARGEST_VALUE``.
    """
    buffer = _Buffer(file)
    in_array = buffer.skip("[")
    number = 0
    while not buffer.ended():
        if in_array and buffer.skip("]"):
            in_array = False
            continue
        number += 1
        value = buffer.value()
        yield number, value
        if isinstance(value, ReadError):
            return
    if in_array:
        yield (
            number + 1,
            ReadError(f"the JSON ends early, after {number} values; export or download it again"),
        )


class _Buffer:
    """The part of the file that is being read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._text, self._at, self._final = file, "", 0, False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._more(_CHUNK)
        self._text = self._text.removeprefix("\ufeff")

    def skip(self, bracket: str) -> bool:
        """Skip a bracket and return True, if it is next."""
        if self.ended() or self._text[self._at] != bracket:
            return False
        self._at += 1
        return True

    def ended(self) -> bool:
        """True after the last value."""
        while True:
            match = _BETWEEN.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text) or self._final:
                return self._at >= len(self._text)
            self._more(_CHUNK)

    def value(self) -> object | ReadError:
        """The next value, or its error."""
        while True:
            try:
                value: object
                value, self._at = _CONTROLS_ALLOWED.raw_decode(self._text, self._at)
                return value
            except json.JSONDecodeError as error:
                # An error far before the end of what was read is no sign of a cut; a string that does not end may be.
                cut = error.pos >= len(self._text) - 16 or error.msg.startswith("Unterminated string")
                if self._final or not cut:
                    return ReadError(f"not valid JSON ({error.msg}); export it again, or repair this value")
            except (ValueError, RecursionError):
                return ReadError("JSON with a number that is too long or with too many levels; shorten it")
            size = len(self._text) - self._at
            if size > LARGEST_VALUE:
                return ReadError(
                    f"a JSON value of more than {LARGEST_VALUE} characters; write its comments as JSON lines, "
                    "for example with jq -c '.comments[]'"
                )
            # Doubling keeps the cost of reading a value again linear.
            self._more(max(_CHUNK, size))

    def _more(self, size: int) -> None:
        chunk = self._file.read(size)
        self._final = not chunk
        self._text = self._text[self._at :] + self._decoder.decode(chunk, final=self._final)
        self._at = 0
