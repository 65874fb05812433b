"""Replies that share their words with their parents."""

WORDS = ("the", "you", "link", *"0123456789")
REPLIES = [
    (" ".join((word, word, other)), " ".join((word, other, other, "b", "c")))
    for word in WORDS
    for other in WORDS
]
"""Text and parent."""
