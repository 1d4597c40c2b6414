"""Settings and weights as sections of a FitSNAP input.

FitSNAP fits a constant per element if and only if ``bzeroflag`` is 0. With a constant, subtracting the
components of the isolated atom changes the coefficients but neither model nor prediction, so a fit with
constants is written with ``bzeroflag = 0``; one without constants and without the subtraction does not
exist in FitSNAP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from xpot_snap_model.settings import DescriptorSettings
from xpot_snap_model.translate import descriptor_settings

from xpot_fitsnap.options import FitsnapOptions
from xpot_fitsnap.writing.groups import GroupWeights

Sections = dict[str, dict[str, str]]


def fitsnap_settings(options: FitsnapOptions, elements: Sequence[str]) -> DescriptorSettings:
    """The settings that FitSNAP is given."""
    settings = descriptor_settings(options, elements, constant=options.constant)
    return replace(settings, bzero=False) if options.constant else settings


def sections(
    settings: DescriptorSettings,
    groups: Mapping[str, GroupWeights],
    shifts: Mapping[str, float],
    *,
    name: str,
    data_path: str,
    alpha: float = 0.0,
) -> Sections:
    """A FitSNAP input.

    Parameters
    ----------
    settings
        As `fitsnap_settings` gives.
    groups
        FitSNAP group -> weights.
    shifts
        Element -> energy (eV) that is subtracted from the energies.
    name
        Stem of the files that FitSNAP writes.
    data_path
        Folder with one folder of JSON files per group.
    alpha
        Absolute ridge; 0 for least squares.
    """
    stress = any(w.vweight > 0 for w in groups.values())
    bispectrum = {
        "numTypes": str(len(settings.elements)),
        "twojmax": " ".join(str(t) for t in settings.twojmax),
        "rcutfac": repr(settings.rcutfac),
        "rfac0": repr(settings.rfac0),
        "rmin0": repr(settings.rmin0),
        "wj": " ".join(repr(w) for w in settings.wj),
        "radelem": " ".join(repr(r) for r in settings.radelem),
        "type": " ".join(settings.elements),
        "wselfallflag": str(int(settings.wselfall)),
        "chemflag": str(int(settings.chem)),
        "bzeroflag": str(int(settings.bzero)),
        "quadraticflag": str(int(settings.quadratic)),
        "bnormflag": str(int(settings.bnorm)),
        "switchflag": str(int(settings.switch)),
    }
    if settings.sinner is not None and settings.dinner is not None:
        bispectrum["switchinnerflag"] = "1"
        bispectrum["sinner"] = " ".join(repr(v) for v in settings.sinner)
        bispectrum["dinner"] = " ".join(repr(v) for v in settings.dinner)
    style, *coefficients = settings.pair_commands()
    reference = {"units": "metal", "atom_style": "atomic", "pair_style": style.removeprefix("pair_style ")}
    for i, line in enumerate(coefficients, start=1):
        reference[f"pair_coeff{i}"] = line.removeprefix("pair_coeff ")
    table = {
        "group_sections": "name training_size testing_size eweight fweight vweight",
        "group_types": "str float float float float float",
        "smartweights": "0",
        "random_sampling": "0",
    }
    for group, w in groups.items():
        table[group] = f"1.0 0.0 {w.eweight!r} {w.fweight!r} {w.vweight!r}"
    return {
        "BISPECTRUM": bispectrum,
        "CALCULATOR": {
            "calculator": "LAMMPSSNAP",
            "energy": "1",
            "force": "1",
            "stress": str(int(stress)),
        },
        "ESHIFT": {e: repr(-float(shifts.get(e, 0.0))) for e in settings.elements},
        "SOLVER": {"solver": "RIDGE" if alpha else "SVD", "compute_testerrs": "0", "detailed_errors": "0"},
        **({"RIDGE": {"alpha": repr(alpha), "local_solver": "1"}} if alpha else {}),
        "SCRAPER": {"scraper": "JSON"},
        "PATH": {"dataPath": data_path},
        "OUTFILE": {"metrics": f"{name}_metrics.md", "potential": name},
        "REFERENCE": reference,
        "GROUPS": table,
        "EXTRAS": {"dump_descriptors": "0", "dump_truth": "0", "dump_weights": "0", "dump_dataframe": "0"},
        "MEMORY": {"override": "0"},
    }


def to_text(content: Sections, comments: Sequence[str] = ()) -> str:
    """The sections as a file."""
    lines = [f"# {comment}" for comment in comments]
    for section, values in content.items():
        lines += ["", f"[{section}]", *(f"{key} = {value}" for key, value in values.items())]
    return "\n".join(lines).lstrip("\n") + "\n"
