"""Linear atomic cluster expansion for XPOT."""
