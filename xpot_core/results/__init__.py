"""A study read back, for tables, reports and exports."""
