"""Before a study: proposals, checks, skeletons of plugins."""
