"""Before a study: `init`, `doctor`, `schema`."""
