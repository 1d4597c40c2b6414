"""What is wrong with data, seen in the data alone."""
