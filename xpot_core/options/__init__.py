"""Options of plugins: declared once, checked against the declaration."""
