"""What every optimizer with a surrogate model shares; needs no scikit-optimize."""
