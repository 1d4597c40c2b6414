"""What travels between the rooms: structures, fits, predictions, trials, error sums."""
