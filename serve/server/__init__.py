"""The running service: the app, workers, middleware and logs."""
