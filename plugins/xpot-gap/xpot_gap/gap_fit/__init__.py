"""The program gap_fit: its input, its runs, what it writes."""
