"""One trial: from values of hyperparameters to errors."""
