"""XPOT plugin: optimizers of Optuna."""
