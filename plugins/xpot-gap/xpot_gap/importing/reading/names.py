"""Names of gap_fit's arguments: the second ones of the same, those without effect, and their defaults."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from xpot_core.api import Findings
from xpot_gap.importing.reading.grammar import is_true

ALIASES = {
    "kernel_regularisation_parameter_name": "sigma_parameter_name",
    "atoms_filename": "at_file",
    "default_kernel_regularisation": "default_sigma",
    "config_type_kernel_regularisation": "config_type_sigma",
    "baseline_param_filename": "core_param_file",
    "baseline_ip_args": "core_ip_args",
    "kernel_regularisation_is_per_atom": "sigma_per_atom",
    "default_kernel_regularisation_local_property": "default_local_property_sigma",
    "hessian_displacement": "hessian_delta",
    "do_copy_atoms_file": "do_copy_at_file",
    "gap_file": "gp_file",
}
"""Second names of arguments."""
OF_DESCRIPTORS = {
    "energy_scale": "delta",
    "lengthscale_factor": "theta_fac",
    "lengthscale_uniform": "theta_uniform",
    "lengthscale_file": "theta_file",
    "soap_exponent": "zeta",
}
"""Second names of the settings that every descriptor has."""
OF_ONE_DESCRIPTOR = {
    "soap": {"atom_gaussian_width": "atom_sigma", "normalize": "normalise"},
    "angle_3b": {"Z_center": "Z"},
}
"""Second names of settings of one descriptor."""

READ = {
    "at_file",
    "gap",
    "e0",
    "e0_method",
    "e0_offset",
    "default_sigma",
    "config_type_sigma",
    "sparse_jitter",
    "core_param_file",
    "core_ip_args",
    "rnd_seed",
    "local_property0",
    "parameter_name_prefix",
    "energy_parameter_name",
    "force_parameter_name",
    "virial_parameter_name",
    "stress_parameter_name",
    "config_type_parameter_name",
    "sigma_parameter_name",
    "force_mask_parameter_name",
    "hessian_parameter_name",
    "local_property_parameter_name",
}
"""Arguments that are translated."""

WITHOUT_EFFECT = {
    "do_copy_at_file",
    "sparse_separate_file",
    "gp_file",
    "do_ip_timing",
    "verbosity",
    "openmp_chunk_size",
    "mpi_blocksize_rows",
    "mpi_blocksize_cols",
    "mpi_print_all",
    "dryrun",
    "sparsify_only_no_fit",
    "condition_number_norm",
    "linear_system_dump_file",
    "export_covariance",
    # of values that no study has
    "hessian_delta",
    "default_local_property_sigma",
    "local_property_mask_parameter_name",
}
"""Arguments that change no coefficient, or that the plugin sets itself."""

SWITCHES = {"sigma_per_atom": True, "sparse_use_actual_gpcov": False}
"""Arguments that have a counterpart at their defaults only."""


KNOWN = {*READ, *WITHOUT_EFFECT, *SWITCHES, "template_file"}


def plain_names(
    settings: Mapping[str, str], known: Iterable[str], aliases: Mapping[str, str]
) -> dict[str, str]:
    """Settings by the first names of the arguments; gap_fit takes capital letters for small ones in names.

    Parameters
    ----------
    settings
        Key -> value, as written.
    known
        Names as they are looked for.
    aliases
        Second name -> first name.
    """
    spelling = {name.lower(): name for name in known} | {k.lower(): name for k, name in aliases.items()}
    return {spelling.get(key.lower(), key): value for key, value in settings.items()}


def lose_what_has_no_counterpart(settings: Mapping[str, str], findings: Findings) -> None:
    """Report arguments that are neither translated nor without effect."""
    for key, value in settings.items():
        if key in READ | WITHOUT_EFFECT:
            continue
        if key in SWITCHES:
            if is_true(value, key) != SWITCHES[key]:
                findings.lose(f"{key}={value} is not supported.")
        elif key == "template_file":
            findings.lose(f"{key}={value}: descriptors with a template are not supported.")
        else:
            near = difflib.get_close_matches(key, READ | WITHOUT_EFFECT | {*ALIASES} | {*SWITCHES}, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            findings.lose(f"gap_fit has no argument {key}={value}{meant}")
