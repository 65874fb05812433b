"""The moderation queue: ingest, queue items, decisions of moderators, appeals, erasure, statistics."""
