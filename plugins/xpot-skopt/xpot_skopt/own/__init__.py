"""`gp`: a Gaussian process written for few trials and many hyperparameters; needs numpy and scipy only."""
