"""What keeps studies in order: `ls`, `best`, `mv`, `rm`."""
