"""Log lines in which text from outside can neither start a new line nor control a terminal."""

import logging


class OneLineFormatter(logging.Formatter):
    """Formats a message as one printable line; only a traceback, which belowline never logs, adds further lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Returns the line with unprintable characters as escapes."""
        return printable(super().formatMessage(record))


def printable(text: str) -> str:
    """Returns ``text`` with line ends, control characters, direction marks and surrogates as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
