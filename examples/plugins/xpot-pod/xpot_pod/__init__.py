"""XPOT plugin: proper orthogonal descriptors (POD) on xpot-linear."""
