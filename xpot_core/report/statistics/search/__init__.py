"""What is told of a search: its worth, how sure its choice is, what its loss depends on."""
