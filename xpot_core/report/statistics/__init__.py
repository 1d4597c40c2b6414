"""The numbers behind figures and tables."""
