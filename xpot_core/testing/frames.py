"""Small structures with exact reference values, made by code: nothing is downloaded or stored.

The labels come from a Morse potential with a smooth cutoff, plus a constant per element. A fit need
not be good at it; it must only be consistent.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xpot_core.data.frame_labels import image_of
from xpot_core.data.row_factors import sigma_means
from xpot_core.types.structures import BoolArray, FloatArray, Frame, TrainingData, elements_of

if TYPE_CHECKING:
    from ase import Atoms

CUTOFF = 5.0
ATOMIC_ENERGIES = {"Si": -2.0, "Ge": -3.0}
_MORSE = {("Si", "Si"): (0.9, 1.5, 2.40), ("Ge", "Ge"): (0.7, 1.4, 2.55), ("Ge", "Si"): (0.8, 1.45, 2.45)}
_DIAMOND = 0.25 * np.array(
    [[0, 0, 0], [1, 1, 1], [0, 2, 2], [1, 3, 3], [2, 0, 2], [3, 1, 3], [2, 2, 0], [3, 3, 1]], dtype=float
)
_RESTING_CELL = 4.90
"""Edge in Å where the diamond cell of `morse` has no stress."""
_PRIMITIVE = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=float)


def morse(atoms: Atoms) -> tuple[float, FloatArray, FloatArray]:
    """Energy (eV), forces (eV/Å) and virial (eV, positive under compression)."""
    from ase.neighborlist import neighbor_list

    symbols = atoms.get_chemical_symbols()
    i, j, r, vectors = neighbor_list("ijdD", atoms, CUTOFF)
    table = [_MORSE[tuple(sorted((symbols[a], symbols[b])))] for a, b in zip(i, j, strict=True)]  # type: ignore[index]
    depth, steep, length = np.array(table).reshape(-1, 3).T
    decay = np.exp(-steep * (r - length))
    bare, bare_slope = depth * (decay**2 - 2 * decay), depth * steep * (2 * decay - 2 * decay**2)
    damp = 0.5 * (1 + np.cos(np.pi * r / CUTOFF))
    slope = bare_slope * damp - bare * 0.5 * np.pi / CUTOFF * np.sin(np.pi * r / CUTOFF)
    energy = 0.5 * float((bare * damp).sum()) + sum(ATOMIC_ENERGIES[s] for s in symbols)
    pull = vectors / r[:, None] * slope[:, None]
    forces = np.zeros((len(atoms), 3))
    np.add.at(forces, i, pull)
    return energy, forces, -0.5 * vectors.T @ pull


def rotation(seed: int) -> FloatArray:
    """A proper random rotation."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def structure(
    seed: int, elements: Sequence[str] = ("Si",), *, small: bool = False, turned: bool = True
) -> Atoms:
    """A strained and rattled diamond cell of 8 (or 2) atoms in an orientation of its own."""
    from ase import Atoms

    rng = np.random.default_rng([seed, len(elements), small])
    cell = 5.43 * (_PRIMITIVE if small else np.eye(3)) @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3)))
    fractions = _DIAMOND[:2] @ np.linalg.inv(_PRIMITIVE) if small else _DIAMOND
    # Compositions differ, so that the energies of single atoms can be told apart.
    symbols = [str(rng.choice(list(elements))) for _ in range(len(fractions))]
    if not small:
        symbols[: len(elements)] = elements
    atoms = Atoms(symbols, scaled_positions=fractions, cell=cell, pbc=True)
    atoms.positions += 0.12 * rng.normal(size=(len(atoms), 3))
    if turned:
        turn = rotation(seed)
        atoms.set_cell(np.array(atoms.cell) @ turn.T)
        atoms.set_positions(atoms.get_positions() @ turn.T)
    return atoms


def labelled(atoms: Atoms, group: str = "bulk", source: str = "") -> Frame:
    """A frame with the reference values of `morse`."""
    energy, forces, virial = morse(atoms)
    return frame(atoms, energy, forces, virial if atoms.pbc.all() else None, group, source)


def frame(
    atoms: Atoms,
    energy: float | None = None,
    forces: FloatArray | None = None,
    virial: FloatArray | None = None,
    group: str = "bulk",
    source: str = "",
) -> Frame:
    """A frame with the identity that the core would give it."""
    content = (atoms.numbers, atoms.positions, np.array(atoms.cell))
    digest = hashlib.sha256(b"".join(part.tobytes() for part in content) + bytes(atoms.pbc))
    return Frame(atoms, energy, forces, virial, group, source, digest.hexdigest())


@functools.lru_cache(maxsize=8)
def frames(elements: tuple[str, ...] = ("Si",), count: int = 12) -> tuple[Frame, ...]:
    """`count` frames in the groups ``bulk`` (8 atoms) and ``small`` (2 atoms), three to one."""
    made = []
    for number in range(count):
        small = number % 4 == 3
        atoms = structure(number, elements, small=small)
        made.append(labelled(atoms, "small" if small else "bulk", f"kit#{number}"))
    return tuple(made)


def strained_frames() -> tuple[Frame, ...]:
    """Diamond cells at small strains of all six kinds, both ways: their virials imply elastic constants."""
    from ase import Atoms

    made: list[Frame] = []
    for a, b in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        for size in (-0.01, 0.01):
            strain = np.zeros((3, 3))
            strain[a, b] = strain[b, a] = size if a == b else size / 2
            cell = _RESTING_CELL * (np.eye(3) + strain)
            atoms = Atoms("Si8", scaled_positions=_DIAMOND, cell=cell, pbc=True)
            made.append(labelled(atoms, "strained", f"strained#{len(made)}"))
    return tuple(made)


def training_data(chosen: Sequence[Frame], folds: int = 0) -> TrainingData:
    """Frames as training data, with fold labels if asked."""
    labels = tuple(i % folds if folds else -1 for i in range(len(chosen)))
    elements = elements_of(f.atoms for f in chosen)
    data = TrainingData(tuple(chosen), labels, elements, tuple(sorted({f.group for f in chosen})))
    return replace(data, sigma_means=sigma_means(data))


def hard_data(folds: int) -> dict[str, TrainingData]:
    """Training data that determine little, as real sets do in part: what they are -> the data."""
    few = [structure(20 + n, small=True) for n in range(folds)]
    alike = [structure(7, small=n % 3 == 2) for n in range(3 * folds)]
    for number, atoms in enumerate(alike):
        atoms.positions += 1e-3 * np.random.default_rng(number).normal(size=atoms.positions.shape)
    found = {"cells of two atoms, fewer rows than columns": few, "structures that are nearly the same": alike}
    return {
        name: training_data(
            [labelled(a, ("bulk", "small")[n % 2], f"kit {name}#{n}") for n, a in enumerate(made)], folds
        )
        for name, made in found.items()
    }


def described(frame: Frame) -> str:
    """A structure in a message: where it comes from, its formula, and whether it is periodic."""
    directions = "".join(name for name, periodic in zip("abc", frame.atoms.pbc, strict=True) if periodic)
    boundary = {"abc": "", "": ", not periodic"}.get(directions, f", periodic along {directions}")
    return f"{frame.source or 'a structure'} ({frame.atoms.get_chemical_formula()}{boundary})"


def write_frames(path: Path, chosen: Sequence[Frame]) -> Path:
    """Extended XYZ with the keys that a study file expects by default."""
    from ase.io import write

    write(path, [image_of(one) for one in chosen], format="extxyz")
    return path


def frames_to_json(chosen: Sequence[Frame]) -> str:
    """Frames as text, every digit kept."""

    def plain(array: FloatArray | BoolArray | None) -> Any:
        return None if array is None else np.asarray(array).tolist()

    return json.dumps(
        [
            {
                "symbols": f.atoms.get_chemical_symbols(),
                "positions": plain(f.atoms.positions),
                "cell": plain(np.array(f.atoms.cell)),
                "pbc": [bool(p) for p in f.atoms.pbc],
                "energy": f.energy,
                "forces": plain(f.forces),
                "virial": plain(f.virial),
                "group": f.group,
                "source": f.source,
                "energy_sigma": f.energy_sigma,
                "force_sigma": plain(f.force_sigma),
                "virial_sigma": plain(f.virial_sigma),
                "force_mask": plain(f.force_mask),
                "weight": f.weight,
                "together": f.together,
            }
            for f in chosen
        ]
    )


def frames_from_json(text: str) -> tuple[Frame, ...]:
    """Inverse of `frames_to_json`."""
    from ase import Atoms

    made = []
    for row in json.loads(text):
        for name in ("forces", "virial", "force_sigma", "virial_sigma", "force_mask"):
            row[name] = None if row[name] is None else np.array(row[name])
        geometry = {name: row.pop(name) for name in ("symbols", "positions", "cell", "pbc")}
        bare = frame(Atoms(**geometry))
        made.append(replace(bare, **row))
    return tuple(made)
