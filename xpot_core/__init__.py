"""XPOT: finds the hyperparameters that make a machine-learned interatomic potential good."""

__version__ = "0.1.0"
