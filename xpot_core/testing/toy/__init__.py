"""The toy fitter ``numpy-pair``: a linear pair potential in numpy alone."""
