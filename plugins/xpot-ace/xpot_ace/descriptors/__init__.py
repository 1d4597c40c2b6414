"""Functions of ACE and their rows: what python-ace computes for a structure."""
