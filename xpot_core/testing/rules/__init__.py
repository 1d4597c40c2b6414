"""Rules that a fitter and its predictor keep, and the bench that they are tried on."""
