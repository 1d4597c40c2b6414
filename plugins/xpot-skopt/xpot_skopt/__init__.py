"""XPOT plugin: Bayesian optimization with scikit-optimize."""
