"""Physical tests of potentials: molecular dynamics in LAMMPS, static properties, cost."""
