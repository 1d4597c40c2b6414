"""What needs no extra package, registered through the same hooks as everybody else's."""
