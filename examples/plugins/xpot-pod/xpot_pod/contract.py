"""How the conformance kit tests the fitter: a fit of less than a second."""

_RADIAL = {"two": 4, "three": 3, "four": 2}
_TINY = {f"{body}body_number_radial_basis_functions": n for body, n in _RADIAL.items()}
CONTRACT = {
    "without_effect": {"vweight": "LAMMPS gives no rows of the virial"},
    "tiny_options": {"rcut": 4.6, "threebody_angular_degree": 2, "fourbody_angular_degree": 1, **_TINY},
}
