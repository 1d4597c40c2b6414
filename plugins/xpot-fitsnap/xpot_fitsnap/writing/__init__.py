"""To FitSNAP: options and structures as its inputs and records."""
