"""Comments, threads and the readers of archives."""

from belowline.data.archives.html.text import html_to_text
from belowline.data.archives.readers import SAMPLE_DIR, read_threads
from belowline.data.comment import Comment, PriorStatus, ReadError, Reject, Thread

__all__ = [
    "SAMPLE_DIR",
    "Comment",
    "PriorStatus",
    "ReadError",
    "Reject",
    "Thread",
    "html_to_text",
    "read_threads",
]
