"""From rows to coefficients: blocks, weighted least squares, errors."""
