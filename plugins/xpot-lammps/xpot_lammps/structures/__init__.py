"""Where a test starts: chosen, read or made structures."""
