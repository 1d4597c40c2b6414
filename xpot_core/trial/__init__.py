"""From values of hyperparameters to errors: one trial."""
