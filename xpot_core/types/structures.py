"""Structures with reference values.

Units everywhere: eV, Å, eV/Å; virials in eV, positive under compression (``-V * stress`` of ASE).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ase import Atoms


FloatArray = npt.NDArray[np.float64]


BoolArray = npt.NDArray[np.bool_]


ALWAYS_TRAIN = -1
"""Fold label of a frame that every fit uses."""


EVALUATE_ONLY = -2
"""Fold label of a frame that no fit uses: the external validation set."""


FRAME_LABELS = ("energy_sigma", "force_sigma", "virial_sigma", "force_mask", "weight")
"""What single frames may say about their part in a fit: attributes of `Frame`."""


def bare_atoms(atoms: Atoms) -> Atoms:
    """New atoms with species, positions, cell and periodicity of others, and nothing else.

    Constraints (``move_mask``), calculators, momenta, tags, charges and further arrays change what ASE says about
    atoms: forces of fixed atoms, for one, are reported as zero.
    """
    from ase import Atoms  # takes 0.3 s to import; only who has atoms pays

    return Atoms(
        numbers=atoms.numbers, positions=atoms.positions, cell=np.array(atoms.cell), pbc=np.array(atoms.pbc)
    )


@dataclass(frozen=True, eq=False)
class Frame:
    """One structure with its reference values.

    Attributes
    ----------
    atoms
        Species, positions (Å), cell (Å), periodicity, and nothing else: see `bare_atoms`.
    energy
        Total energy of the cell in eV, or None.
    forces
        Shape (n_atoms, 3), eV/Å, or None.
    virial
        Shape (3, 3), eV, positive under compression, or None.
    group
        The group (config_type) that weights and error tables go by.
    source
        ``file.xyz#12`` for messages.
    identity
        sha256 of species, cell, periodicity and positions: equal for identical structures.
    energy_sigma
        Expected error of the energy of the cell in eV (not per atom), or None.
    force_sigma
        Expected error of each force component, shape (n_atoms, 3), eV/Å, or None.
    virial_sigma
        Expected error of each virial component, shape (3, 3), eV, or None.
    force_mask
        Shape (n_atoms,): True where the force of an atom counts, in fits and in errors. None: all count.
    weight
        Factor on the weight of the frame in a fit.
    together
        Frames with the same value stay in one fold (``data.validation.keep_together``), or None.
    """

    atoms: Atoms
    energy: float | None
    forces: FloatArray | None
    virial: FloatArray | None
    group: str
    source: str = ""
    identity: str = ""
    energy_sigma: float | None = None
    force_sigma: FloatArray | None = None
    virial_sigma: FloatArray | None = None
    force_mask: BoolArray | None = None
    weight: float = 1.0
    together: str | None = None

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.atoms)

    def label(self, name: str) -> float | FloatArray | BoolArray | None:
        """The label of a name of `FRAME_LABELS`; None where the frame has none (a weight of 1 is none)."""
        found: float | FloatArray | BoolArray | None = getattr(self, name)
        return None if name == "weight" and found == 1.0 else found

    @property
    def counted(self) -> FloatArray | None:
        """Reference forces that no mask leaves out, shape (n, 3), eV/Å; None without forces."""
        return self.forces if self.forces is None or self.force_mask is None else self.forces[self.force_mask]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The frames of a fit with what belongs to all of them.

    Attributes
    ----------
    frames
        The structures.
    folds
        One label per frame: a fold number >= 0, ``ALWAYS_TRAIN`` or ``EVALUATE_ONLY``.
    elements
        Chemical symbols of the whole study, sorted: the order of types in every file.
    groups
        Groups of the whole study, sorted.
    reference_energies
        Energy of the isolated atom in eV per element; empty if not given.
    sigma_means
        Geometric means of the sigmas that the training frames of the study have, see `row_factors`.
    """

    frames: tuple[Frame, ...]
    folds: tuple[int, ...]
    elements: tuple[str, ...]
    groups: tuple[str, ...]
    reference_energies: Mapping[str, float] = field(default_factory=dict)
    sigma_means: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.folds) != len(self.frames):
            raise ValueError(f"{len(self.folds)} fold labels for {len(self.frames)} frames")

    def training(self, leave_out: int | None = None) -> TrainingData:
        """Only the frames that a fit uses which leaves out one fold."""
        return self._only(self.training_indices(leave_out))

    def evaluation(self, leave_out: int | None = None) -> TrainingData:
        """Only the frames that such a fit is judged on: the fold, or else the external set."""
        return self._only(self.evaluation_indices(leave_out))

    def training_indices(self, leave_out: int | None = None) -> tuple[int, ...]:
        """Where the frames of `training` stand in `frames`."""
        return tuple(i for i, f in enumerate(self.folds) if f not in (leave_out, EVALUATE_ONLY))

    def evaluation_indices(self, leave_out: int | None = None) -> tuple[int, ...]:
        """Where the frames of `evaluation` stand in `frames`."""
        wanted = EVALUATE_ONLY if leave_out is None else leave_out
        return tuple(i for i, f in enumerate(self.folds) if f == wanted)

    def _only(self, indices: Sequence[int]) -> TrainingData:
        frames = tuple(self.frames[i] for i in indices)
        return replace(self, frames=frames, folds=tuple(self.folds[i] for i in indices))

    def typical_frame(self) -> Frame:
        """The largest periodic training frame with the smallest forces: a sane start of a run."""
        frames = self.training().frames
        periodic = [f for f in frames if f.atoms.pbc.all()] or list(frames)
        largest = max(f.n_atoms for f in periodic)
        return min(
            (f for f in periodic if f.n_atoms == largest),
            key=lambda f: 0.0 if f.forces is None else float(abs(f.forces).max()),
        )

    @property
    def fold_numbers(self) -> tuple[int, ...]:
        """The folds that stand in the data, ascending; empty without cross-validation."""
        return tuple(sorted({f for f in self.folds if f >= 0}))

    def fingerprint(self) -> str:
        """sha256 over structures, reference values, groups and folds."""
        digest = hashlib.sha256()
        for frame, fold in zip(self.frames, self.folds, strict=True):
            digest.update(f"{frame.identity}|{frame.group}|{fold}|{frame.energy!r}".encode())
            for values in (frame.forces, frame.virial):
                digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
            # Data without labels of single frames keep the fingerprint that they had before there were any.
            for label in FRAME_LABELS:
                if (own := frame.label(label)) is not None:
                    digest.update(label.encode() + np.ascontiguousarray(own).tobytes())
        for element, energy in sorted(self.reference_energies.items()):
            digest.update(f"{element}={energy!r}".encode())
        return digest.hexdigest()


def has_volume(atoms: Atoms) -> bool:
    """Whether a virial can be divided by the volume of the cell: above 1e-3 Å^3."""
    return abs(float(np.linalg.det(np.array(atoms.cell)))) > 1e-3


def elements_of(structures: Iterable[Atoms]) -> tuple[str, ...]:
    """Chemical symbols of all atoms, sorted."""
    from ase.data import chemical_symbols

    numbers: set[int] = set().union(*(atoms.numbers.tolist() for atoms in structures))
    return tuple(sorted(chemical_symbols[number] for number in numbers))


def periodic_cell(atoms: Atoms, vacuum: float) -> FloatArray:
    """A cell in which a structure may be taken as periodic in all directions, for programs that know no others.

    Parameters
    ----------
    atoms
        The structure.
    vacuum
        In Å, between the atoms and their images in an open direction.

    Returns
    -------
    ndarray
        Cell vectors, shape (3, 3) in Å: an open direction gets a vector perpendicular to the others.
    """
    from ase.geometry import complete_cell

    cell = np.array(atoms.cell, dtype=float)
    closed = np.asarray(atoms.pbc, dtype=bool)
    if not closed.all():
        cell[~closed] = 0.0
        full = complete_cell(cell)
        for axis in np.flatnonzero(~closed):
            direction = full[axis] / np.linalg.norm(full[axis])
            cell[axis] = direction * (np.ptp(atoms.positions @ direction) + vacuum)
    return cell
