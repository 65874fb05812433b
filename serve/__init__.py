"""The service, its page and queue, the command ``belowline``, and the audit of whole archives."""
