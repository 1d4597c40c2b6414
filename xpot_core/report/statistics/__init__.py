"""The numbers behind tables and figures."""
