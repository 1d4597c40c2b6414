"""The side of the test: what runs in a process of its own, see `xpot_lammps.child`."""
