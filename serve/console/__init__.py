"""The moderators' console: pages made on the server."""
