"""The moderators' console: pages rendered on the server."""
