"""Optimizers, loss and executors that need no extra package, registered by the same hooks as plugins."""
