"""The views of a study, each from its series to figures and tables."""
