"""XPOT plugin: the fitter ``pair``."""
