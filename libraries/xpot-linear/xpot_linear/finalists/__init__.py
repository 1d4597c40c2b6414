"""What is worth its price for the best fits only: leave-one-out, variances, leverage."""
