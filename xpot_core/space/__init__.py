"""The search space: hyperparameters, how they are read from a study file, trials in it."""
