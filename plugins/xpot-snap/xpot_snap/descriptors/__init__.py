"""From structures to rows of the design matrix, by LAMMPS."""
