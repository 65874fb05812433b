"""Comments, threads and the readers of archives."""

from belowline.data.archives.readers import SAMPLE_DIR, read_threads
from belowline.data.comment import Comment, ReadError, Reject, Thread, Verdict

__all__ = ["SAMPLE_DIR", "Comment", "ReadError", "Reject", "Thread", "Verdict", "read_threads"]
