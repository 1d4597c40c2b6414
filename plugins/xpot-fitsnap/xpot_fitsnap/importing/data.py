"""FitSNAP's JSON files as structures."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from configparser import ConfigParser
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from xpot_lammps_session.session import NKTV2P

from xpot_core.api import InputError, nearest


def convert(
    config: ConfigParser, path: Path, groups: Iterable[str], target: Path, notes: list[str]
) -> dict[str, list[Atoms]]:
    """Write the data of a FitSNAP input as extended XYZ.

    Parameters
    ----------
    config, path
        The input, and where it was read.
    groups
        Its groups.
    target
        The file to write; it may hold the same structures already.
    notes
        Gets a remark on what was done.

    Returns
    -------
    dict
        Group -> its structures; empty if there are none to convert.

    Raises
    ------
    InputError
        If a group has no structures, or a file that holds others lies where they would go.
    """
    folder = path.parent / config.get("PATH", "dataPath", fallback="JSON")
    scraper = config.get("SCRAPER", "scraper", fallback="JSON").upper()
    frames = {group: json_frames(folder / group, group) for group in groups if scraper == "JSON"}
    images = [atoms for own in frames.values() for atoms in own]
    if not images:
        found = f"No JSON files were found below {folder}"
        if scraper != "JSON":
            found = f"Data of scraper {scraper} in {folder} are not converted"
        if target.exists():
            raise InputError(
                f"{found[:1].lower()}{found[1:]}, and {target.name}, which may hold other data, lies where the "
                "study looks for them",
                file=path,
                key="PATH.dataPath",
                remedy=f"mend dataPath, or give {target.name} another name and write that under data.train",
            )
        notes.append(f"{found}: name your files under data.train.")
        return {}
    for group, own in frames.items():
        if not own:
            folders = [p.name for p in folder.iterdir() if p.is_dir()]
            raise InputError(
                f"has no JSON files in {folder / group}",
                file=path,
                key=f"GROUPS.{group}",
                remedy=f"mend the name, or take the group out: {nearest(group, folders)}",
            )
    text = io.StringIO()
    write(text, images, format="extxyz")
    content = text.getvalue().encode()
    try:
        if not target.exists():
            target.write_bytes(content)
            notes.append(f"{len(images)} structures were written to {target.name}.")
        elif target.read_bytes() != content:
            raise InputError(
                f"does not hold the {len(images)} structures of {folder}, which would go there",
                file=target,
                remedy="move it elsewhere, or remove it",
            )
    except OSError as error:
        notes.append(f"{target} cannot be written ({error.strerror}): convert the data yourself.")
    return frames


def json_frames(folder: Path, group: str) -> list[Atoms]:
    """Structures of one group's folder."""
    return [json_frame(p, group) for p in sorted(folder.glob("*.json"))]


def json_frame(path: Path, group: str) -> Atoms:
    """One of FitSNAP's JSON files with its targets as ``REF_`` entries (eV, eV/Å, eV)."""
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
        "StressStyle": ("bar", "kbar", "kB", "kilobar"),
    }
    for key, allowed in expected.items():
        if dataset.get(key, allowed[0]).lower() not in {a.lower() for a in allowed}:
            raise InputError(f"{key} {dataset[key]} is not supported", file=path, remedy=f"use {allowed[0]}")
    atoms.info["REF_energy"] = energy
    atoms.info["config_type"] = group
    if "Forces" in record:
        atoms.arrays["REF_forces"] = np.array(record["Forces"], dtype=float)
    if "Stress" in record:
        unit = 1.0 if dataset.get("StressStyle", "bar").lower() == "bar" else 1000.0
        virial = np.array(record["Stress"], dtype=float) * unit * atoms.get_volume() / NKTV2P
        # nine numbers in a row: ASE writes 3x3 entries in a form that few programs read
        atoms.info["REF_virial"] = virial.ravel()
    return atoms
