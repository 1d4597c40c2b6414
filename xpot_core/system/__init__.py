"""Processes, interrupts, shared libraries, caches: what the operating system gives."""
