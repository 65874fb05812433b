"""The base class of all errors that belowline raises for its callers."""


class BelowlineError(Exception):
    """Base class of belowline's errors. The message is one line (FetchError: a line for each file) and holds no comment text.

    ::

        BelowlineError
        ├── ModelError        a model directory cannot be used
        ├── PolicyError       a policy cannot be used
        ├── ReadError         an archive, or a record of one, cannot be read
        │   └── Damaged       a record of a WARC file is damaged
        ├── CorpusError       a corpus is missing or malformed
        └── FetchError        files of corpora cannot be fetched

    ``serve`` and ``training`` derive their own errors from it.
    """
