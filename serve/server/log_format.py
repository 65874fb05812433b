"""Log lines that hold what they say: whatever comes from outside can begin no line of its own and steer no terminal."""

import logging


class OneLineFormatter(logging.Formatter):
    """A formatter whose message is one printable line; only a traceback, which we never log of our own, adds further ones."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, with every other character than a printable one as its escape."""
        return printable(super().formatMessage(record))


def printable(text: str) -> str:
    """``text`` with line ends, control characters, direction marks and halves of characters written as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
