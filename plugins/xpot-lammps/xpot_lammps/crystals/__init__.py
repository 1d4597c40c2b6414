"""What the static tests of crystals share: references, relaxation, lattices."""
