"""The end of a search: which of the best trials wins, refitted and tested."""
