"""How the conformance kit tests the fitter."""

from __future__ import annotations

from typing import Any

CONTRACT: dict[str, Any] = {
    "tiny_options": {
        "descriptors": [
            {"distance_2b": {"cutoff": 4.0, "n_sparse": 6}},
            {"soap": {"cutoff": 4.0, "n_max": 3, "l_max": 2, "n_sparse": 6}},
        ],
        "e0": "average",
        "sigma_energy": 0.01,
        "sigma_force": 0.1,
    },
    # The kit's group "small" has two distinct environments of each species (its cell of two like atoms is
    # centrosymmetric, and gap_fit counts equal environments once): from 6 to 7 nothing can change.
    "other_values": {"descriptors.1.soap.n_sparse": 1},
    # Parameters of another covariance type than the one above.
    "along_with": {
        "descriptors.0.distance_2b.zeta": {"descriptors.0.distance_2b.covariance_type": "dot_product"},
        "descriptors.1.soap.theta_uniform": {"descriptors.1.soap.covariance_type": "ard_se"},
        "descriptors.1.soap.theta_fac": {"descriptors.1.soap.covariance_type": "ard_se"},
    },
    "expected_failures": {
        "leave_out_equals_a_fit_without_these_frames": "sparse points and e0 are chosen once, from the "
        "training frames of all folds; the README says so",
    },
}

IMPORTER: dict[str, Any] = {
    "fitter": "gap",
    "source": "gap_fit at_file=train.xyz gap={distance_2b cutoff=4.0 covariance_type=ard_se delta=0.5 "
    "theta_uniform=1.0 sparse_method=uniform n_sparse=10 add_species=T} default_sigma={0.005 0.1 0.1 0} "
    "e0_method=average gp_file=gap.xml",
}
