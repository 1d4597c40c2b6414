"""The contract of each kind of provider."""
