"""Potentials as files, their predictions and what is exported with them."""
