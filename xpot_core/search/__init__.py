"""The life of a study: begin, search, refit the best trial."""
