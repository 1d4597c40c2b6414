"""Files of structures: read, their reference values taken out, large ones kept as arrays."""
