"""The bridge to a WordPress without plugins."""
