"""Which settings FitSNAP has, and which of them a study file does not say."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from xpot_core.api import Findings, InputError, nearest

TRANSLATED: dict[str, set[str]] = {
    "BISPECTRUM": {
        "numTypes", "type", "twojmax", "rcutfac", "rfac0", "rmin0", "wj", "radelem", "wselfallflag", "chemflag",
        "bzeroflag", "quadraticflag", "bnormflag", "switchflag", "switchinnerflag", "sinner", "dinner", "BOLTZ",
    },
    "CALCULATOR": {"calculator", "energy", "force", "stress"},
    "PATH": {"dataPath", "groupFile"},
    "REFERENCE": {"units", "atom_style", "pair_style", "pair_coeff"},
    "SCRAPER": {"scraper", "property_array"},
    "SOLVER": {"solver", "compute_testerrs", "detailed_errors"},
}  # fmt: skip
"""What is translated, or says nothing about the fit."""
LEFT: dict[str, set[str]] = {
    "BISPECTRUM": {"bikflag", "dgradflag"},
    "CALCULATOR": {"nonlinear", "per_atom_energy", "per_atom_scalar"},
    "SCRAPER": {"read_group_scrape", "save_group_scrape"},
    "SOLVER": {
        "cov_nugget", "mcmc_gamma", "mcmc_num", "merr_cfs", "merr_method", "merr_mult", "normalweight", "normratio",
        "nsam",
    },
}  # fmt: skip
"""What FitSNAP knows, and a study file does not."""
CHANGING = {"BISPECTRUM", "CALCULATOR"}
"""Sections where these change the fit; elsewhere they belong to a solver, which is told by itself, or to files."""
COLUMNS = {"name", "size", "training_size", "testing_size", "eweight", "fweight", "vweight"}
OWN_NAMES = {"ESHIFT", "GROUPS", "TRAINSHIFT"}
"""Sections whose names the user makes: elements and groups."""
SILENT = {"EXTRAS", "MEMORY", "OUTFILE", "TEMPLATE"}
"""Sections that say nothing about the fit."""
UNREAD = {
    "ACE", "ARD", "BASIC_CALCULATOR", "CUSTOM", "JAX", "LASSO", "NETWORK", "PYTORCH", "RIDGE",
}  # fmt: skip
_OFF = {"0", "false", "f", "no", "n", "off", "none"}


def left_out(config: ConfigParser, path: Path, findings: Findings) -> None:
    """Look at every setting of an input for what a study file made of it does not say.

    Parameters
    ----------
    config
        The input.
    path
        Where it was read, for messages.
    findings
        Gets a remark for each setting that is left out.

    Raises
    ------
    InputError
        If FitSNAP refuses the input for a name that it does not know.
    """
    solver = config.get("SOLVER", "solver", fallback="SVD").upper()
    for section in config.sections():
        if section == "RIDGE" and solver == "RIDGE":
            for key, value in config.items(section):
                if key not in ("alpha", "local_solver"):
                    raise InputError(
                        "FitSNAP has no such setting", file=path, key=f"RIDGE.{key}", value=value
                    )
        elif section in UNREAD:
            findings.note(f"Section {section} is not translated.")
        elif section not in TRANSLATED.keys() | OWN_NAMES | SILENT:
            known = TRANSLATED.keys() | OWN_NAMES | SILENT | UNREAD
            raise InputError(
                "FitSNAP has no such section", file=path, key=section, remedy=nearest(section, known)
            )
    for section, translated in TRANSLATED.items():
        left = LEFT.get(section, set())
        for key, value in config.items(section) if config.has_section(section) else ():
            if key in left:
                if value.lower() not in _OFF and not (key == "cov_nugget" and solver == "ANL"):
                    tell = findings.lose if section in CHANGING else findings.note
                    tell(f"{section}.{key} = {value} is not translated.")
            elif section == "REFERENCE":
                if key not in translated and not key.startswith("pair_coeff"):
                    findings.note(_ignored(f"{section}.{key}", value, nearest(key, translated)))
            elif key not in translated:
                raise InputError(
                    "FitSNAP has no such setting and refuses it",
                    file=path,
                    key=f"{section}.{key}",
                    value=value,
                    remedy=f"mend the name, or take it out: {nearest(key, translated | left)}",
                )
    types = config.get("BISPECTRUM", "type", fallback="H").split()
    for key, value in config.items("ESHIFT") if config.has_section("ESHIFT") else ():
        if key not in types:
            findings.note(_ignored(f"ESHIFT.{key}", value, nearest(key, types)))
    if (
        config.has_section("TRAINSHIFT")
        and config.get("SCRAPER", "scraper", fallback="JSON").upper() != "VASP"
    ):
        findings.note("Section TRAINSHIFT has no effect in FitSNAP, nor here: it is for the scraper VASP.")
    for column in config.get("GROUPS", "group_sections", fallback="").split():
        if column not in COLUMNS:
            findings.note(f"Column {column} of the groups is not translated: {nearest(column, COLUMNS)}.")


def _ignored(key: str, value: str, hint: str) -> str:
    return f"{key} = {value} has no effect in FitSNAP, nor here: {hint}."
