"""FitSNAP: its inputs read and written, and its library as an engine."""
