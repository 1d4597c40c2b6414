"""What travels between rooms and plugins: structures, fits, predictions, trials, error sums."""
