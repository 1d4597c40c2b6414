"""Structures as FitSNAP's scrapers find them: JSON, extended XYZ, VASP's OUTCAR."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.io import read
from xpot_lammps_session.session import NKTV2P

from xpot_core.api import InputError
from xpot_fitsnap.importing.values import to_number

BARS = {"bar": 1.0, "metal": 1.0, "kbar": 1000.0, "kb": 1000.0, "kilobar": 1000.0}
"""Units of stress in bar."""
Entry = tuple[str, int]
"""A file, and which of its structures."""


def entries(folder: Path, group: str, scraper: str) -> list[Entry] | None:
    """The structures of a group in FitSNAP's order, before they are read; None if the group is absent.

    FitSNAP takes files in the order in which the system lists them.
    """
    if scraper == "JSON":
        own = folder / group
        if not own.is_dir():
            return None
        return [(str(own / name), 0) for name in os.listdir(own) if name.endswith(".json")]
    if scraper == "XYZ":
        path = next((p for end in (".extxyz", ".xyz") if (p := folder / f"{group}{end}").is_file()), None)
        return None if path is None else [(str(path), i) for i in range(_length(path))]
    files = sorted(str(p) for p in (folder / group).rglob("*OUTCAR") if p.is_file())
    return [(name, i) for name in files for i in _steps(name)] or None


def reader(config: ConfigParser, scraper: str) -> Callable[[Iterable[Entry], str], Iterable[Atoms]]:
    """What reads the structures of a group, with targets as ``REF_`` entries (eV, eV/Å, eV)."""
    if scraper == "JSON":
        return lambda found, group: (json_frame(Path(name), group) for name, _ in found)
    if scraper == "XYZ":
        unit = _stress_unit(config)
        return lambda found, group: _images(found, lambda name: _xyz(name, group, unit))
    toten = config.get("GROUPS", "vasp_use_TOTEN", fallback="False").lower() in (
        "1",
        "true",
        "yes",
        "t",
        "y",
        "on",
    )
    shifts = dict(config.items("TRAINSHIFT")) if config.has_section("TRAINSHIFT") else {}
    by_element = {e: to_number(value, f"TRAINSHIFT.{e}") for e, value in shifts.items()}

    def shifted(name: str, group: str) -> list[Atoms]:
        images = _outcar(name, group, toten)
        for atoms in images:
            atoms.info["REF_energy"] += sum(by_element.get(symbol, 0.0) for symbol in atoms.symbols)
        return images

    return lambda found, group: _images(found, lambda name: shifted(name, group))


def json_frame(path: Path, group: str) -> Atoms:
    """One of FitSNAP's JSON files."""
    text = path.read_text(encoding="utf-8")
    if not text.lstrip().startswith("{"):
        text = text.partition("\n")[2]
    try:
        dataset = json.loads(text)["Dataset"]
        record = dataset["Data"][0]
        atoms = Atoms(record["AtomTypes"], positions=record["Positions"], cell=record["Lattice"], pbc=True)
        energy = float(record["Energy"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"is not a FitSNAP structure: {error!r}", file=path) from error
    expected = {
        "PositionsStyle": ("angstrom",),
        "LatticeStyle": ("angstrom",),
        "EnergyStyle": ("electronvolt",),
        "ForcesStyle": ("electronvoltperangstrom",),
        "StressStyle": tuple(BARS),
    }
    for key, allowed in expected.items():
        if dataset.get(key, allowed[0]).lower() not in allowed:
            raise InputError(f"{key} {dataset[key]} is not supported", file=path, remedy=f"use {allowed[0]}")
    forces, stress = record.get("Forces"), record.get("Stress")
    return _labelled(atoms, group, energy, forces, stress, BARS[dataset.get("StressStyle", "bar").lower()])


def _labelled(atoms: Atoms, group: str, energy: float, forces: Any, stress: Any, unit: float) -> Atoms:
    atoms.info["REF_energy"] = energy
    atoms.info["config_type"] = group
    if forces is not None:
        atoms.arrays["REF_forces"] = np.array(forces, dtype=float)
    if stress is not None:
        virial = np.array(stress, dtype=float).reshape(3, 3) * unit * atoms.get_volume() / NKTV2P
        # nine numbers in a row: ASE writes 3x3 entries in a form that few programs read
        atoms.info["REF_virial"] = virial.ravel()
    return atoms


def _images(found: Iterable[Entry], load: Callable[[str], list[Atoms]]) -> Iterable[Atoms]:
    """Of files with several structures; each file is read once."""
    by_file: dict[str, list[int]] = {}
    for name, index in found:
        by_file.setdefault(name, []).append(index)
    for name, indices in by_file.items():
        images = load(name)
        yield from (images[i] for i in indices)


def _xyz(name: str, group: str, unit: float) -> list[Atoms]:
    images = []
    for atoms in _read(name):
        results = {**atoms.info, **atoms.arrays, **(atoms.calc.results if atoms.calc else {})}
        lower = {str(key).lower(): value for key, value in results.items()}
        if "energy" not in lower:
            raise InputError("has a structure without energy", file=name)
        bare = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        stress = lower.get("stress")
        if stress is not None and np.size(stress) == 6:  # ASE folds symmetric ones
            stress = np.asarray(stress)[[0, 5, 4, 5, 1, 3, 4, 3, 2]]
        forces = lower.get("forces", lower.get("force"))
        images.append(_labelled(bare, group, float(lower["energy"]), forces, stress, unit))
    return images


def _outcar(name: str, group: str, toten: bool) -> list[Atoms]:
    text = Path(name).read_text(encoding="utf-8", errors="replace")
    pattern = r"free  energy   TOTEN\s*=\s*(\S+)" if toten else r"energy  without entropy=\s*(\S+)"
    energies = [float(value) for value in re.findall(pattern, text)]
    images = _read(name)
    if len(images) != len(energies):
        raise InputError(f"has {len(images)} structures and {len(energies)} energies", file=name)
    found = []
    for atoms, energy in zip(images, energies, strict=True):
        results = atoms.calc.results
        stress = results.get("stress")
        if stress is not None:  # ASE's sign and unit back to VASP's, which is FitSNAP's
            stress = -np.asarray(stress)[[0, 5, 4, 5, 1, 3, 4, 3, 2]] / (0.1 * units.GPa)
        bare = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)
        found.append(_labelled(bare, group, energy, results.get("forces"), stress, BARS["kbar"]))
    return found


def _read(name: str) -> list[Atoms]:
    try:
        return list(read(name, ":"))
    except Exception as error:  # ASE raises whatever its many parsers raise
        raise InputError(f"cannot be read: {error}", file=name) from error


def _length(path: Path) -> int:
    """Number of structures in an XYZ file."""
    n = 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                skipped = int(line) + 1
            except ValueError:
                raise InputError("is not an XYZ file", file=path, value=line.strip()[:40]) from None
            for _ in range(skipped):
                next(file, None)
            n += 1
    return n


def _steps(name: str) -> range:
    """The ionic steps of an OUTCAR; the last alone where VASP writes one structure several times, as FitSNAP does."""
    text = Path(name).read_text(encoding="utf-8", errors="replace")
    steps = range(text.count("energy  without entropy="))
    header = text.partition("aborting loop")[0]
    ibrion, nsw = (re.findall(rf"^\s*{key}\s*=\s*(-?\d+)", header, re.MULTILINE) for key in ("IBRION", "NSW"))
    repeated = ibrion and nsw and int(ibrion[-1]) == -1 and int(nsw[-1]) > 0
    return steps[-1:] if repeated else steps


def _stress_unit(config: ConfigParser) -> float:
    """Of XYZ files: bar, or what ``property_array`` says."""
    text = config.get("SCRAPER", "property_array", fallback="None")
    for line in re.split(r"[;\n]", text.replace("=", " ").replace(":", " ")):
        words = line.split()
        if words and words[0].lower() == "stress" and len(words) > 2:
            unit = BARS.get(words[2].lower())
            if unit is None:
                raise InputError("is no unit of stress here", key="SCRAPER.property_array", value=words[2])
            return unit
        if len(words) > 2 and words[2].lower() not in ("metal", "ev", "electronvolt", "angstrom"):
            raise InputError("only units metal can be translated", key="SCRAPER.property_array", value=line)
    return BARS["bar"]
