"""Errors as FitSNAP counts them, beside those that it wrote."""
