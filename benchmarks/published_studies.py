"""The studies behind ``published_table.py`` and the errors of what they found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from gap_study import gap_fitter

DATA = Path(os.environ.get("XPOT_DATA", "../shared/data")).resolve() / "zuo2020"
ELEMENTS = ("Si", "Mo", "Cu")
SELECTIONS = ("CV", "test set")
SEARCHES = ("flat", "nested")
INNER = ("eweight", "fweight", "sigma_")
"""How the names begin of what a nested search finds inside each trial."""
PUBLISHED = {
    "Si": {
        "qSNAP, Zuo 2020": (6.28, 0.29),
        "GAP, Zuo 2020": (4.18, 0.12),
        "qSNAP, published XPOT": (3.31, 0.11),
    },
    "Mo": {
        "qSNAP, Zuo 2020": (3.96, 0.33),
        "GAP, Zuo 2020": (3.55, 0.16),
        "qSNAP, published XPOT": (3.51, 0.17),
    },
    "Cu": {
        "qSNAP, Zuo 2020": (1.16, 0.05),
        "GAP, Zuo 2020": (0.56, 0.02),
        "qSNAP, published XPOT": (0.52, 0.03),
    },
}
"""Test errors as published: energy RMSE (meV/atom), force RMSE (eV/Å)."""
ACE_CUTOFFS = {"Si": (4.8, 5.6), "Mo": (4.0, 4.5), "Cu": (3.9, 4.5)}
"""Å. Narrow, since an ACE study has few trials: around the cutoffs of single fits with default weights."""


def fitter(potential: str, element: str) -> dict[str, Any]:
    """The fitter block: ``qSNAP-6`` (twojmax 6), ``ACE-400`` (400 functions), ``GAP`` (200 sparse points)
    or ``GAP-700``."""
    if potential == "GAP":
        return gap_fitter(4, 200)
    if potential.startswith("GAP-"):
        return large_gap(int(potential.partition("-")[2]))
    if potential.startswith("ACE-"):
        low, high = ACE_CUTOFFS[element]
        return {
            "ace": {
                "functions": int(potential.partition("-")[2]),
                "cutoff": {"min": low, "max": high},
                "eweight": {"min": 10, "max": 1500, "log": True, "per": "group"},
                "fweight": {"min": 0.1, "max": 50, "log": True, "per": "group"},
                "ridge": {"min": 1.0e-12, "max": 1.0e-7, "log": True},
                "cache": False,
            }
        }
    return {
        "snap": {
            "twojmax": int(potential.partition("-")[2]),
            "quadratic": True,
            "rcutfac": {"min": 3.0, "max": 6.0},
            "rfac0": {"min": 0.5, "max": 1.5},
            "eweight": {"min": 100, "max": 15_000, "log": True, "per": "group"},
            "fweight": {"min": 0.1, "max": 500, "log": True, "per": "group"},
            "cache": False,
        }
    }


def large_gap(n_sparse: int) -> dict[str, Any]:
    """2b and SOAP; the native kernels make l_max 6, above 1,000 sparse points l_max 8, and many points affordable.

    Ranges of the sigmas lie below Table I's, whose defaults are too large for so many sparse points; so the inner
    search begins in the middle of them.
    """
    soap = {"cutoff": {"min": 3.8, "max": 5.5}, "atom_sigma": {"min": 0.35, "max": 0.65}, "zeta": 4}
    n_max, l_max = (10, 8) if n_sparse > 1000 else (8, 6)
    soap |= {
        "delta": {"min": 0.4, "max": 4.0, "log": True},
        "n_max": n_max,
        "l_max": l_max,
        "n_sparse": n_sparse,
    }
    return {
        "gap": {
            "descriptors": [{"distance_2b": {"cutoff": 5.0, "n_sparse": 20}}, {"soap": soap}],
            "sigma_energy": {"min": 0.0005, "max": 0.008, "log": True, "per": "group"},
            "sigma_force": {"min": 0.01, "max": 0.09, "log": True, "per": "group"},
            "cache_gb": 0,
        }
    }


def name_of(element: str, potential: str, search: str, selection: str) -> str:
    """Name of a study and of its run folder."""
    return f"{element}-{potential}-{search}-{selection.replace(' ', '-')}"


def study(
    element: str, potential: str, search: str, selection: str, budget: dict[str, Any]
) -> dict[str, Any]:
    """The study file as plain data."""
    test = str(DATA / f"{element}_test.xyz")
    data: dict[str, Any] = {"train": str(DATA / f"{element}_train.xyz"), "keys": {"virial": None}}
    data |= {"validation": {"kfold": 5}, "test": test} if selection == "CV" else {"validation": test}
    initial = (
        32 if search == "flat" else 2 if potential.startswith("ACE-") else 5 if "GAP-" in potential else 8
    )
    nested: dict[str, Any] = {} if selection == "CV" else {"prior": 0.0, "iterations": 100}
    return {
        "study": name_of(element, potential, search, selection),
        "data": data,
        "fitter": fitter(potential, element),
        "loss": {"energy-force": {"alpha": 0.75}},
        "optimizer": {"skopt-gp": {"initial": initial, "initial_design": "hammersly"}},
        "search": "flat" if search == "flat" else {"nested": nested},
        "budget": budget,
    }


def errors(frames: list[Atoms]) -> tuple[float, float, float, float, float, float]:
    """Energy RMSE (meV/atom) and force RMSE (eV/Å), each with a 95 % bootstrap interval over structures."""
    rng = np.random.default_rng(0)
    energy = np.array([(a.info["pred_energy"] - a.info["REF_energy"]) / len(a) for a in frames]) ** 2
    force = [(a.arrays["pred_forces"] - a.arrays["REF_forces"]).ravel() ** 2 for a in frames]
    sums, counts = np.array([f.sum() for f in force]), np.array([f.size for f in force])
    draws = rng.integers(len(frames), size=(4000, len(frames)))
    e = 1000 * np.sqrt(energy[draws].mean(axis=1))
    f = np.sqrt(sums[draws].sum(axis=1) / counts[draws].sum(axis=1))
    (e_low, e_high), (f_low, f_high) = (np.percentile(x, [2.5, 97.5]).tolist() for x in (e, f))
    return (
        1000 * float(np.sqrt(energy.mean())),
        e_low,
        e_high,
        float(np.sqrt(sums.sum() / counts.sum())),
        f_low,
        f_high,
    )


def worst(frames: list[Atoms]) -> tuple[str, float]:
    """Group of the structure with the largest energy error per atom, and the energy RMSE without it (meV/atom)."""
    squared = np.array([(a.info["pred_energy"] - a.info["REF_energy"]) / len(a) for a in frames]) ** 2
    index = int(squared.argmax())
    return frames[index].info.get("config_type", ""), 1000 * float(np.sqrt(np.delete(squared, index).mean()))


def copied(element: str, frames: list[Atoms]) -> list[bool]:
    """Whether a test structure has a symmetry-equivalent copy in the training set: the same energy and volume."""
    known = {fingerprint(a) for a in read(DATA / f"{element}_train.xyz", ":")}
    return [fingerprint(a) in known for a in frames]


def fingerprint(atoms: Atoms) -> tuple[int, float, float]:
    """What symmetry-equivalent structures share: number of atoms, energy and volume per atom."""
    return (
        len(atoms),
        round(atoms.info["REF_energy"] / len(atoms), 5),
        round(atoms.get_volume() / len(atoms), 3),
    )
