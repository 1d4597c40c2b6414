"""From kernels to coefficients, for many choices of the sigmas."""
