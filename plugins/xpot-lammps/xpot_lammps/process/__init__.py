"""The process of a test: a job goes in, an answer comes back, and a crash is a verdict."""
