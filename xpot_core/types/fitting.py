"""What a fitter gets and gives back, in one go or in stages.

Units everywhere: eV, Å, eV/Å; virials in eV, positive under compression (``-V * stress`` of ASE).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from xpot_core.errors import InputError
from xpot_core.system.foreign_text import bare_file_name
from xpot_core.system.progress import Tell, untold
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.learning_curve import Report, unheard
from xpot_core.types.left_out import LeftOut
from xpot_core.types.predicting import Predictions, Uncertainty
from xpot_core.types.structures import Frame, TrainingData

_SYMBOL = re.compile(r"[A-Z][a-z]?")


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
    final
        True for the last refit of the winner: prefer accuracy over speed.
    held_out
        Frames that the fit must not train on, for the errors that an iterative fit reports; empty for a refit without
        a validation set.
    report
        To be called after every step of an iterative fit. It raises `PrunedError` where the study wants no
        more of this fit: let it pass, and end what was started.
    checkpoint
        Folder where an iterative fit may keep what it needs to go on, after it has reported the step (see
        `replaced_folder`); None for no need to.
    resume_from
        Such a folder of an earlier fit of the same data, seed and options but the number of steps, which was lower or
        is the same: go on from there.
    tuned
        Names of the hyperparameters of the study, as `descriptors.1.soap.zeta`: what may pay for other values of them
        can be made at once.
    progress
        To be called in a long step, not more often than every few seconds, with one line for whoever waits: how far
        it is, how long it will take, and before it begins how much time and memory it will need.
    """

    options: BaseModel
    data: TrainingData
    directory: Path
    seed: int = 0
    threads: int = 1
    limits: Limits = field(default_factory=Limits)
    final: bool = False
    held_out: tuple[Frame, ...] = ()
    report: Report = unheard
    checkpoint: Path | None = None
    resume_from: Path | None = None
    tuned: frozenset[str] = frozenset()
    progress: Tell = untold


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
class ExportRequest:
    """What a fitter's ``export`` tool gets: it adds to the folder how to use the potential.

    The tool is named in `FitterProvider.export`, takes this request and returns file name -> what
    the file is. The files of the potential itself stand in `directory` already.
    """

    potential: FittedPotential
    directory: Path
    options: BaseModel
    data: TrainingData


Sensitivity = Callable[[ErrorTable], Mapping[str, Mapping[str, float]]]
"""From the validation errors to d(function)/d(sum of squares), by quantity and group."""


@dataclass(frozen=True)
class DesignErrors:
    """Errors of one staged fit on what it saw and on what it did not.

    Attributes
    ----------
    train
        On the frames that the fit used.
    validation
        On the fold left out, or on the evaluation-only frames when none was.
    seconds
        ``solve`` and ``predict``.
    metadata
        JSON-able facts, e.g. the condition number.
    notes
        What the user should know, e.g. that a fallback solver was used.
    """

    train: ErrorTable
    validation: ErrorTable
    seconds: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, float | int | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@runtime_checkable
class Design(Protocol):
    """Descriptors of all frames, ready for any number of regressions.

    One that takes much memory says how much by an attribute ``nbytes``: a worker keeps its last designs as far as its
    share of the machine allows.
    """

    seconds: Mapping[str, float]
    """What the preparation cost, e.g. ``{"descriptors": 8.1}``."""

    def fit(
        self, options: BaseModel, *, directory: Path, leave_out: int | None = None, final: bool = False
    ) -> FittedPotential:
        """Solve for the given regression options and write the potential.

        Parameters
        ----------
        options
            Complete options; those of stage ``descriptors`` equal the prepared ones.
        directory
            The only folder that may be written to.
        leave_out
            Fold that the fit must not see; None uses every training frame.
        final
            The last refit of the winner: prefer accuracy over speed.
        """
        ...

    def errors(self, options: BaseModel, *, leave_out: int | None = None) -> DesignErrors:
        """Solve, and evaluate training and validation errors without writing anything."""
        ...


@runtime_checkable
class KernelDesign(Design, Protocol):
    """A design whose descriptors also serve other options of stage ``kernel``."""

    def with_kernel(self, request: FitRequest) -> Design:
        """Make a design for other options of stage ``kernel``, with all that this one can lend it.

        It equals a new design in every respect but the time, and this one stays as it is.

        Parameters
        ----------
        request
            As for `StagedFitter.prepare`; the data and the options of stage ``descriptors`` equal the prepared ones.
        """
        ...


@runtime_checkable
class DifferentiableDesign(Design, Protocol):
    """A design that knows how errors change with the regression options."""

    def error_gradient(
        self,
        options: BaseModel,
        names: Sequence[str],
        sensitivity: Sensitivity,
        *,
        leave_out: int | None = None,
    ) -> tuple[DesignErrors, dict[str, float]]:
        """Errors and the gradient of a function of the validation errors.

        Parameters
        ----------
        options
            As for `Design.errors`.
        names
            Hyperparameters of stage ``regression``, e.g. ``eweight.Elastic``.
        sensitivity
            Maps the validation `ErrorTable` to d(function)/d(sum of squares), by quantity and
            group.

        Returns
        -------
        errors
            As `Design.errors` gives.
        gradient
            Name -> d(function)/d(ln value).
        """
        ...


@runtime_checkable
class PredictingDesign(Design, Protocol):
    """A design that knows what a potential fitted to it says of its frames, without running it."""

    def predictions(self, options: BaseModel) -> Predictions:
        """For all frames of the design, by the fit that `Design.fit` writes as the final one of these options.

        Energies, forces and virials are NaN where the design has nothing to tell them by.
        """
        ...


@runtime_checkable
class UncertainDesign(Design, Protocol):
    """A design that knows how sure its fit is; for finalists, since it costs more than a trial."""

    def leave_one_out(self, options: BaseModel) -> LeftOut:
        """Errors on each training frame of the fit without it, exactly, and its influence."""
        ...

    def uncertainty(self, options: BaseModel, frames: Sequence[Frame]) -> Uncertainty:
        """Standard deviations of predictions for any frames, calibrated by leaving out training frames."""
        ...

    def most_informative(self, options: BaseModel, frames: Sequence[Frame], count: int) -> list[int]:
        """Frames whose reference values would tell the fit most, best first; each one taken counts as known."""
        ...
