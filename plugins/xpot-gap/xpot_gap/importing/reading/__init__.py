"""The command of a fit, wherever it stands, as gap_fit reads it."""
