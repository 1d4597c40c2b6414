# SNAP potential for Si written by XPOT; units metal; atom types 1..n are Si
# run LAMMPS in this folder, or set the variable potential_dir before including this file
variable potential_dir index .
pair_style hybrid/overlay snap zbl 1.2 2.0
pair_coeff * * snap ${potential_dir}/Si.snapcoeff ${potential_dir}/Si.snapparam Si
pair_coeff 1 1 zbl 14 14
