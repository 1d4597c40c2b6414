"""Options: declared once by a plugin, checked against that declaration."""
