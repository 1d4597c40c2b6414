"""The built-in executors: one trial after the other, or worker processes."""
