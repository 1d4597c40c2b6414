"""Fitters: frames and options in, a potential out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from xpot_core.types.fitting import Design, FitRequest, FittedPotential


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
        """Do everything that depends on options of the stages ``descriptors`` and ``kernel``.

        ``request.data`` holds the frames of all folds and the evaluation-only frames.
        """
        ...
