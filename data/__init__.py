"""What comments and threads are, and the readers of archives."""

from belowline.data.comment import Comment, ReadError, Thread
from belowline.data.readers import SAMPLE_DIR, read_threads

__all__ = ["SAMPLE_DIR", "Comment", "ReadError", "Thread", "read_threads"]
