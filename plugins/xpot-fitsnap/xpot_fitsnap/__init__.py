"""FitSNAP for XPOT: its inputs as study files, its library as a fitter, its inputs beside exported potentials."""
