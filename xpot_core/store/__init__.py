"""The memory of a study: its trials in one SQLite file, and who runs it."""
