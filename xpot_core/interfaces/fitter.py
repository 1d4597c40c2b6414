"""Fitters: frames and options in, a potential out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from xpot_core.metrics import ErrorTable
from xpot_core.types import FitRequest, FittedPotential


@runtime_checkable
class Fitter(Protocol):
    """Fits one potential.

    The object is made without arguments, once per worker process; everything that may change
    comes with the request.
    """

    def fit(self, request: FitRequest) -> FittedPotential:
        """Fit to ``request.data`` and write the potential to ``request.directory``.

        Raises
        ------
        FitError
            If the framework fails; the trial becomes FAILED and the study goes on.
        InfeasibleError
            If the options cannot be tried within ``request.limits``.
        """
        ...


@runtime_checkable
class StagedFitter(Fitter, Protocol):
    """A fitter whose descriptors can be kept while only the regression changes."""

    def prepare(self, request: FitRequest) -> Design:
        """Do everything that depends on options of stage ``descriptors``.

        ``request.data`` holds the frames of all folds and the evaluation-only frames.
        """
        ...


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
    """Descriptors of all frames, ready for any number of regressions."""

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
class DifferentiableDesign(Design, Protocol):
    """A design that knows how errors change with the regression options."""

    def error_gradient(
        self,
        options: BaseModel,
        names: Sequence[str],
        sensitivity: Callable[[ErrorTable], Mapping[str, Mapping[str, float]]],
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
