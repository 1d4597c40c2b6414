"""Pages: a study, a comparison, a family of studies."""
