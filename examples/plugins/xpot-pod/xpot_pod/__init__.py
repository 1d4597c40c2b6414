"""XPOT plugin: proper orthogonal descriptors (POD) by LAMMPS' fitpod."""
