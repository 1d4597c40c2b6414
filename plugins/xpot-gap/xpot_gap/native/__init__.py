"""GAP's linear system without gap_fit: descriptors by quippy, kernels by matrix products."""
