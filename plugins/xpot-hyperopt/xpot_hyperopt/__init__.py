"""XPOT plugin: optimizers of hyperopt."""
