"""Processes, interrupts, shared libraries, caches, foreign text: what the operating system gives."""
