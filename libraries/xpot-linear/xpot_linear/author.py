"""What a fitter tells the library: its basis, and how its potential is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from xpot_core.api import FittedPotential, TrainingData
from xpot_linear.basis import Basis
from xpot_linear.blocks.block_set import IntArray
from xpot_linear.model import LinearModel
from xpot_linear.options import LinearOptions
from xpot_linear.regression.weights import Weights, weights_of

B = TypeVar("B", bound=Basis)
O = TypeVar("O", bound=BaseModel)  # noqa: E741


class Author(ABC, Generic[B, O]):
    """The part of a `LinearFitter` that its author writes; the rest has defaults for `LinearOptions`."""

    gradient_by: ClassVar[Mapping[str, tuple[str, float]]] = {
        "eweight": ("energy", 1.0),
        "fweight": ("force", 1.0),
        "vweight": ("virial", 1.0),
        "ridge": ("ridge", 1.0),
        "absolute_ridge": ("absolute_ridge", 1.0),
    }
    """Option -> what it sets (energy, force, virial, ridge, absolute_ridge), and the power of it that this is."""

    @abstractmethod
    def basis(self, options: O, data: TrainingData) -> B:
        """The basis that the options of stage ``descriptors`` describe, for the elements of a study."""

    @abstractmethod
    def write(self, directory: Path, basis: B, model: LinearModel, **facts: Any) -> FittedPotential:
        """Write a potential.

        Parameters
        ----------
        directory
            The only folder that may be written to.
        basis, model
            What was fitted; ``tuple(model.constants)`` are the elements of the study in the order of types.
        **facts
            ``metadata``, ``seconds`` and ``notes`` of the fit, for `FittedPotential.from_files`.
        """

    def columns(self, basis: B, options: O) -> IntArray | None:
        """Functions, ascending from 0, that may have coefficients; None is all.

        An option of stage ``regression`` for the size of a nested basis acts here, without new descriptors.
        """
        return None

    def weights(self, options: O, groups: Sequence[str]) -> Weights:
        """Row weights for the groups of a study, and the ridges."""
        assert isinstance(options, LinearOptions)
        return weights_of(options, groups)

    def solver(self, options: O) -> str:
        """``auto``, ``gram`` or ``qr``."""
        assert isinstance(options, LinearOptions)
        return options.solver
