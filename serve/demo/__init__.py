"""The demo: an invented site with a week of comments and decisions, in a store of its own."""
