"""What runs studies: `run`, `fit`, `retry`, and their display."""
