"""What figures show, as numbers: the report and the live page draw the same."""
