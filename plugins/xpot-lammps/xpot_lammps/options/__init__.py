"""Options of the validators; importing them imports nothing heavy."""
