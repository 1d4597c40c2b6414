"""What is installed here: `plugins`, `cache`."""
