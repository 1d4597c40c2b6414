"""A trained model evaluated: predictor and calculator."""
