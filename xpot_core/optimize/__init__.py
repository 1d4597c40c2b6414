"""From the history of a study to the next trials."""
