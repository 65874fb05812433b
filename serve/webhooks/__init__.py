"""Webhooks: endpoints, the outbox and the sender."""
