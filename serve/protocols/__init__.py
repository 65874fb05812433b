"""Protocols of other services, each a thin translation to the same calls of the service."""
