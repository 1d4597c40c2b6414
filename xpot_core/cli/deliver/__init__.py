"""What hands over: `export`, `validate`, `select`."""
