"""What a study hands over: exports, committees, scripts, physical tests."""
