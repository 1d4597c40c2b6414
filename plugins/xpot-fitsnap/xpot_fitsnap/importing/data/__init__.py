"""The data of a FitSNAP input: its structures, and which of them it trains on and tests."""
