"""From the history of a study to its next trials."""
