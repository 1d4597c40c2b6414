"""What shows studies: `show`, `compare`, `report`."""
