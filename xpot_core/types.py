"""What travels between the core and the plugins: frames, requests, potentials, predictions.

Units everywhere: eV, Å, eV/Å; virials in eV, positive under compression (``-V * stress`` of ASE).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xpot_core.errors import InputError
from xpot_core.foreign_text import bare_file_name

if TYPE_CHECKING:
    from ase import Atoms
    from pydantic import BaseModel

    from xpot_core.interfaces.fitter import Design

_SYMBOL = re.compile(r"[A-Z][a-z]?")
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
        return self._where([f not in (leave_out, EVALUATE_ONLY) for f in self.folds])

    def evaluation(self, leave_out: int | None = None) -> TrainingData:
        """Only the frames that such a fit is judged on: the fold, or else the external set."""
        wanted = EVALUATE_ONLY if leave_out is None else leave_out
        return self._where([f == wanted for f in self.folds])

    def _where(self, mask: Sequence[bool]) -> TrainingData:
        return replace(
            self,
            frames=tuple(f for f, keep in zip(self.frames, mask, strict=True) if keep),
            folds=tuple(f for f, keep in zip(self.folds, mask, strict=True) if keep),
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


@dataclass(frozen=True, eq=False)
class Limits:
    """What one trial may use; None is unlimited."""

    seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, eq=False)
class FitRequest:
    """Everything a fitter needs for one fit.

    Attributes
    ----------
    options
        The fitter's validated options, every hyperparameter filled in. Options that expand
        (``per: group``) are either one value or a mapping over all groups (elements).
    data
        The training frames. A staged fitter's ``prepare`` gets the frames of all folds and the
        evaluation-only frames too; a plain ``fit`` gets the training frames alone.
    directory
        The only folder that the fit may write to; it exists.
    seed
        For whatever is random in the fit.
    threads
        How many threads or processes the fit may use.
    limits
        Time and memory that the trial may use.
    leave_out
        The fold that this fit leaves out (only with `design`).
    design
        The result of ``prepare`` when the fit is a staged one.
    final
        True for the last refit of the winner: prefer accuracy over speed.
    """

    options: BaseModel
    data: TrainingData
    directory: Path
    seed: int = 0
    threads: int = 1
    limits: Limits = field(default_factory=Limits)
    leave_out: int | None = None
    design: Design | None = None
    final: bool = False


@dataclass(frozen=True)
class FittedPotential:
    """A potential as files on disk.

    Attributes
    ----------
    format
        What a predictor must understand, e.g. ``snap`` or ``gap-xml``.
    directory
        Folder that holds the files.
    files
        Role -> file name in `directory`, e.g. ``{"coefficients": "Si.snapcoeff"}``.
    elements
        Chemical symbols in the order of types.
    sha256
        File name -> checksum.
    metadata
        JSON-able facts for provenance (condition number, counts, versions).
    seconds
        Where the time went: ``descriptors``, ``solve``.
    notes
        What the user should know, e.g. that a fallback solver was used.
    """

    format: str
    directory: Path
    files: Mapping[str, str]
    elements: tuple[str, ...]
    sha256: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def from_files(
        cls, format: str, directory: Path, files: Mapping[str, str], elements: Sequence[str], **rest: Any
    ) -> FittedPotential:
        """Describe files just written; their checksums are taken here."""
        sums = {name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in files.values()}
        return cls(format, directory, dict(files), tuple(elements), sums, **rest)

    def path(self, role: str) -> Path:
        """Path of one of the files."""
        return self.directory / self.files[role]

    def spoilt(self) -> Path | None:
        """The first file that is missing or was changed since `from_files`; None where all is well."""
        for name, expected in self.sha256.items():
            path = self.directory / name
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
                return path
        return None

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form; `from_json` reads it."""
        return {**asdict(self), "directory": str(self.directory)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FittedPotential:
        """Inverse of `to_json`, for data of a store or a bundle that may come from anybody.

        Raises
        ------
        InputError
            If a file name is a path, or an element is no chemical symbol: both end up in scripts.
        """
        for role, name in data["files"].items():
            bare_file_name(name, key=f"potential.files.{role}")
        for name in data["sha256"]:
            bare_file_name(name, key="potential.sha256")
        for element in data["elements"]:
            if not (isinstance(element, str) and _SYMBOL.fullmatch(element)):
                raise InputError("is no chemical symbol", key="potential.elements", value=element)
        lists = {"elements": tuple(data["elements"]), "notes": tuple(data["notes"])}
        return cls(**{**data, **lists, "directory": Path(data["directory"])})


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a potential says about frames, in their order.

    Attributes
    ----------
    energies
        Shape (n_frames,), eV per cell.
    forces
        One (n_atoms, 3) array per frame, eV/Å.
    virials
        Shape (n_frames, 3, 3), eV, positive under compression; NaN rows where a frame has no
        volume; None if the predictor gives none.
    energy_variance
        Shape (n_frames,), eV^2, where the model predicts its own variance.
    """

    energies: FloatArray
    forces: Sequence[FloatArray]
    virials: FloatArray | None = None
    energy_variance: FloatArray | None = None

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """Predictions of several sets of frames as one; virials and variances only if every part has them."""

        def together(values: Sequence[FloatArray | None]) -> FloatArray | None:
            given = [value for value in values if value is not None]
            return np.concatenate(given) if len(given) == len(parts) else None

        return cls(
            np.concatenate([p.energies for p in parts]),
            [forces for p in parts for forces in p.forces],
            together([p.virials for p in parts]),
            together([p.energy_variance for p in parts]),
        )


@dataclass(frozen=True)
class LossValue:
    """The scalar that is minimised, and the named parts it is made of."""

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ValidationRequest:
    """What a validator gets beside the potential.

    Attributes
    ----------
    directory
        The only folder that may be written to; it exists.
    frames
        The training frames: starting structures, and references for static tests.
    elements
        Chemical symbols of the whole study, sorted.
    seed
        For whatever is random in the test.
    threads
        How many threads or processes the test may use.
    calculator
        ``"package.module:function"`` that makes an ASE calculator from the `FittedPotential`; a
        child process can import it too. None if no predictor of the format offers one.
    reference_energies
        Energy of the isolated atom in eV per element; empty if not given.
    """

    directory: Path
    frames: tuple[Frame, ...]
    elements: tuple[str, ...]
    seed: int = 0
    threads: int = 1
    calculator: str | None = None
    reference_energies: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ValidationReport:
    """Verdict of a physical test.

    Attributes
    ----------
    passed
        Whether the potential is fit for use by this test.
    summary
        One sentence for the user.
    values
        Named numbers, e.g. ``{"time_to_failure_ps": 0.3}``.
    tables
        Name -> column name -> list of numbers, for figures.
    """

    passed: bool
    summary: str
    values: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """What a fitter's ``export`` tool gets: it adds to the folder how to use the potential.

    The tool is named in ``Provider.tools["export"]``, takes this request and returns file name -> what
    the file is. The files of the potential itself stand in `directory` already.
    """

    potential: FittedPotential
    directory: Path
    options: BaseModel
    data: TrainingData
