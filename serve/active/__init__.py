"""The active model and the active policy: one component that every worker polls and every path uses."""
