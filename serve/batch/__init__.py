"""Files in, files out: readers of rows, writers, terminal output."""
