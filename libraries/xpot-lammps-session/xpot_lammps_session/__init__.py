"""One LAMMPS in this process: what XPOT's plugins that drive LAMMPS share."""
