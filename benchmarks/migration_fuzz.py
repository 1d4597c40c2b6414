"""Random inputs of gap_fit, read by gap_fit itself (``dryrun``) and by the importer.

    python benchmarks/migration_fuzz.py 1000 [--seed 0]

Compared are the arguments that gap_fit prints, the sigmas by group, and every descriptor that it makes of an entry for
the elements of the data beside those of the imported study. Each case in which they differ is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from migration_fuzz_inputs import Maker
from xpot_gap.gap_fit.command import describe_descriptors
from xpot_gap.gap_fit.runner import gap_fit_program
from xpot_gap.importing.reading.grammar import real, split_string
from xpot_gap.importing.reading.sources import read_source
from xpot_gap.importing.study import study_from_source
from xpot_gap.options import GapOptions

from xpot_core.api import Findings, InputError

ELEMENTS, GROUPS = ("P", "In"), ("aa", "bb")
_FRAME = """2
Lattice="8 0 0 0 8 0 0 0 8" pbc="T T T" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.{n} config_type={group}
{first} 0 0 0 0 0 0
P 2.{n} 0 0 0 0 0
"""
DEFAULTS = {
    "cutoff_transition_width": "0.5", "f0": "0.0", "add_species": "T", "mark_sparse_atoms": "F", "normalise": "T",
    "central_weight": "1.0", "cutoff_rate": "1.0", "compact_clusters": "T", "covariance_sigma0": "0.0", "Z": "0",
    "Z1": "0", "Z2": "0", "n_species": "1", "species_Z": "0", "sparse_method": "random", "rcut_soft": "",
    "central_index": "1", "basis": "poly3", "scaling_mode": "polynomial", "radial_enhancement": "0",
    "atom_sigma_r_scaling": "0", "atom_sigma_t_scaling": "0", "amplitude_scaling": "1", "cutoff_dexp": "0",
    "average": "F", "only_intra": "F", "n_exponents": "1",
}  # fmt: skip
_FIRST = {
    "atom_gaussian_width": "atom_sigma", "energy_scale": "delta", "lengthscale_uniform": "theta_uniform",
    "lengthscale_factor": "theta_fac", "soap_exponent": "zeta", "normalize": "normalise",
}  # fmt: skip
_WITHOUT = {"mark_sparse_atoms", "add_species", "print_sparse_index", "n_sparse", "config_type_n_sparse"}


def by_gap_fit(text: str) -> tuple[dict[str, str], list[str], dict[str, list[float]]] | str:
    """What gap_fit says that it read; its complaint if it stops."""
    Path("fuzz.cfg").write_text(text + " dryrun=T\n")
    ran = subprocess.run(
        [str(gap_fit_program()), "config_file=fuzz.cfg"], capture_output=True, text=True, check=False
    )
    told = ran.stdout
    if "because dryrun is true" not in told:
        lines = [line for line in (told + ran.stderr).splitlines() if re.search("ABORT|rror|unknown", line)]
        return (
            " / ".join(told[told.find("SYSTEM ABORT") :].split("\n")[:8])
            if "SYSTEM ABORT" in told
            else " / ".join(lines[-3:])
        )
    read = told.partition("Input parameters")[2].partition("Gaussian Approximation")[0]
    pairs = [line.partition(" =") for line in read.splitlines() if " =" in line]
    arguments = {key.strip().lower(): value.strip().strip('"').strip() for key, _, value in pairs}
    descriptors = [line[10:-1] for line in told.splitlines() if re.match("New GAP: {", line)]
    if len(descriptors) == 0 or "Old GAP" in told:
        descriptors = _expanded(told)
    rows = {}
    for line in told.partition("types of configurations\n")[2].splitlines():
        words = line.split()
        if len(words) != 5 or words[0] == "Multispecies":
            break
        rows[words[0]] = [float(w) for w in words[1:4]]
    return arguments, descriptors, rows


def _expanded(told: str) -> list[str]:
    """The descriptors in the order of the report."""
    return re.findall(r"^Descriptor \d+: (.*)$", told, re.MULTILINE)


def plain(text: str) -> dict[str, Any]:
    """Settings of a descriptor without defaults, with numbers as numbers."""
    found: dict[str, Any] = {}
    for field in split_string(" ".join(text.split("\n")), " ,", "'\"{"):
        key, equals, value = field.partition("=")
        lower = key.lower()
        name = _FIRST.get(lower, next((k for k in DEFAULTS if k.lower() == lower), lower))
        found.pop(name, None)
        found[name] = _value(value) if equals else True
    kind = next(
        k
        for k, v in found.items()
        if k in ("soap", "soap_turbo", "distance_2b", "angle_3b", "distance_nb") and v is True
    )
    covariance = str(found.get("covariance_type")).lower()
    found["covariance_type"] = "ard_se" if covariance == "gaussian" else covariance
    found["sparse_method"] = str(found.get("sparse_method", "random")).lower()
    if kind == "soap_turbo":
        hard = found.pop("rcut_hard", None) or found.pop("cutoff")
        soft = found.pop("rcut_soft", None)
        found |= {
            "hard": hard,
            "soft": round(soft if soft is not None else hard - found.get("cutoff_transition_width", 0.5), 9),
        }
        found.pop("cutoff_transition_width", None)
        for name, other in (
            ("alpha_max", "n_max"),
            ("atom_sigma_r", "atom_sigma"),
            ("atom_sigma_t", "atom_sigma"),
        ):
            if name not in found and other in found:
                n = int(found.get("n_species", 1))
                found[name] = found[other] if n == 1 else [found[other]] * n
        for other in ("n_max", "atom_sigma"):
            found.pop(other, None)
        n = int(found.get("n_species", 1))
        for name in ("central_weight", "amplitude_scaling", "atom_sigma_r_scaling", "atom_sigma_t_scaling"):
            if name in found and isinstance(found[name], list) and len(set(found[name])) == 1:
                found[name] = found[name][0]
    elif kind == "distance_nb" and isinstance(found.get("Z"), list) and set(found["Z"]) == {0.0}:
        found.pop("Z")
    if kind == "angle_3b" and "z_center" in found:
        found["Z"] = found["z_center"]
    for name in ("Z1", "Z2"):
        found.setdefault(name, 0.0)
    found["Z1"], found["Z2"] = sorted((found["Z1"], found["Z2"]))  # their order does not matter
    names = _NAMES[kind]
    kept = {k: v for k, v in found.items() if k in names and k not in _WITHOUT}
    return {k: v for k, v in kept.items() if v != _value(DEFAULTS.get(k, "none given"))}


_COMMON = {
    "delta",
    "covariance_type",
    "sparse_method",
    "theta_uniform",
    "theta_fac",
    "zeta",
    "f0",
    "cutoff",
    "cutoff_transition_width",
}
_TURBO = (
    "soap_turbo l_max alpha_max atom_sigma_r atom_sigma_t hard soft basis radial_enhancement central_weight n_species "
    "species_Z central_index"
)
_NAMES = {
    "distance_2b": _COMMON | {"distance_2b", "Z1", "Z2"},
    "angle_3b": _COMMON | {"angle_3b", "Z", "Z1", "Z2"},
    "distance_nb": _COMMON | {"distance_nb", "Z", "order", "compact_clusters"},
    "soap": _COMMON
    | {
        "soap",
        "n_max",
        "l_max",
        "atom_sigma",
        "central_weight",
        "normalise",
        "Z",
        "n_species",
        "species_Z",
        "cutoff_rate",
    },
    "soap_turbo": _COMMON | set(_TURBO.split()),
}


def _value(text: str) -> Any:
    words = text.split()
    numbers = []
    for word in words:
        try:
            numbers.append(round(real(word, ""), 9))
        except InputError:
            lower = text.strip().lower()
            return True if lower in ("t", "true", "") else False if lower in ("f", "false") else lower
    return numbers[0] if len(numbers) == 1 else numbers


def difference(
    text: str, told: tuple[dict[str, str], list[str], dict[str, list[float]]], elements: tuple[str, ...]
) -> str | None:
    """What the imported study has otherwise than gap_fit; None for nothing."""
    arguments, descriptors, rows = told
    ours = {key.lower(): value for key, value in read_source("fuzz.cfg", Findings()).items()}
    for key, value in ours.items():
        if (
            key != "gap"
            and key != value.lower()
            and " ".join(arguments[key].split()) != " ".join(value.split())
        ):
            return f"{key}: {value!r}, gap_fit {arguments[key]!r}"
    found = study_from_source("fuzz.cfg")
    if found.lost:
        return f"lost: {found.lost}"
    gap = GapOptions.model_validate(found.study["fitter"]["gap"])
    own = [
        plain(split_string(c.text, ":;", "{")[0])
        for c in describe_descriptors(gap, elements, {g: g for g in GROUPS})
    ]
    theirs = [plain(d) for d in descriptors]
    if own != theirs:
        pair = next(((a, b) for a, b in zip(own, theirs, strict=False) if a != b), (len(own), len(theirs)))
        return f"descriptor {pair[0]}, gap_fit {pair[1]}"
    default = [
        real(w, "")
        for w in next(
            arguments[k]
            for k in ("default_sigma", "default_kernel_regularisation")
            if "MANDATORY" not in arguments[k]
        ).split()
    ]
    for kind, i in (("energy", 0), ("force", 1)):
        sigma = getattr(gap, f"sigma_{kind}")
        for group in GROUPS:
            mine = sigma[group] if isinstance(sigma, dict) else sigma
            wanted = rows.get(group, rows.get("default", default))[i]
            if abs(mine - wanted) > 1e-9 * abs(wanted) + 1e-12:
                return f"sigma_{kind} of {group}: {mine}, gap_fit {wanted}"
    return None


def main() -> None:
    """Run the cases and count what became of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.environ["OMP_NUM_THREADS"] = "1"
        for n, first in ((1, "P"), (2, "In")):
            Path(f"{n}.xyz").write_text(
                "".join(_FRAME.format(n=i + 4, group=g, first=first) for i, g in enumerate(GROUPS))
            )
        for case in range(arguments.cases):
            maker = Maker(arguments.seed + case)
            n = maker.pick(1, 2)
            text = maker.command(n)
            told = by_gap_fit(text)
            try:
                if isinstance(told, str):
                    found = study_from_source("fuzz.cfg")
                    outcome = "both refuse" if found.lost else "gap_fit refuses, the importer does not"
                    wrong = None if found.lost else told
                else:
                    wrong = difference(text, told, ELEMENTS[:n])
                    outcome = "differ" if wrong else "agree"
            except InputError as error:
                outcome = "both refuse" if isinstance(told, str) else "the importer refuses"
                wrong = None if isinstance(told, str) else str(error)
            counts[outcome] += 1
            if os.environ.get("WHY") and isinstance(told, str):
                print("WHY", told[:300])
            if wrong:
                print(f"--- {arguments.seed + case}: {outcome}: {wrong}\n{text}", flush=True)
    print(", ".join(f"{name}: {count}" for name, count in counts.most_common()))
    sys.exit(1 if counts["differ"] else 0)


if __name__ == "__main__":
    main()
