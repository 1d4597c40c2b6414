"""The bench that fitters are put on: options, fits, predictions and their comparison."""

from __future__ import annotations

import atexit
import functools
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from xpot_core.options.check import validate_options
from xpot_core.plugins.interfaces import Component, Fitter, FitterProvider, Predictor, StagedFitter
from xpot_core.space.read import build_space
from xpot_core.testing.contracts.contract import Contract, NotApplicable, environment
from xpot_core.testing.frames import described, frames, training_data
from xpot_core.types.fitting import Design, FitRequest, FittedPotential
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame, TrainingData

ONE = ("Si",)
TWO = ("Ge", "Si")


@dataclass(frozen=True)
class Fitted:
    """A potential and what it says about some frames."""

    potential: FittedPotential
    predictions: Predictions


class FitterBench(Contract):
    """Attributes and helpers of the contract of fitters.

    Attributes
    ----------
    tiny_options
        Options of a fit that takes a second, as in a study file, all fixed.
    two_element_options
        What changes in them for two elements.
    elements
        How many elements the fitter takes: 1 for a fitter of elemental solids only.
    predictor
        Name of the predictor; by default the first that accepts the potential's format.
    noise
        Largest difference between two identical fits, in eV and eV/Å.
    force_tolerance
        For forces against differences of energies, eV/Å; virials get ten times as much.
    symmetry_tolerance
        For rotated, shifted, permuted and repeated cells, eV/atom and eV/Å.
    """

    kind: ClassVar[Any] = "fitter"
    tiny_options: ClassVar[dict[str, Any]] = {}
    two_element_options: ClassVar[dict[str, Any]] = {}
    elements: ClassVar[int] = 2
    predictor: ClassVar[str] = ""
    noise: ClassVar[float] = 1e-9
    force_tolerance: ClassVar[float] = 2e-4
    symmetry_tolerance: ClassVar[float] = 1e-6

    def fitter_provider(self) -> FitterProvider:
        """What the plugin says about the fitter."""
        return self.registry.get(FitterProvider, self.provider)

    # -- frames --------------------------------------------------------------------------------

    def frames(self, elements: tuple[str, ...] = ONE) -> tuple[Frame, ...]:
        """Training frames; override to train on others of the same elements."""
        return frames(elements)

    def data(self, elements: tuple[str, ...] = ONE, folds: int = 0) -> TrainingData:
        """The frames as training data."""
        return training_data(self.frames(elements), folds)

    @property
    def most(self) -> tuple[str, ...]:
        """The largest set of elements that the fitter takes."""
        return TWO if self.elements > 1 else ONE

    # -- objects -------------------------------------------------------------------------------

    def raw_options(self, elements: tuple[str, ...] = ONE) -> dict[str, Any]:
        """`tiny_options`, those for two elements included where needed."""
        return deepcopy({**self.tiny_options, **(self.two_element_options if len(elements) > 1 else {})})

    def options(self, elements: tuple[str, ...] = ONE, **changes: Any) -> BaseModel:
        """The validated options."""
        return self.validated({**self.raw_options(elements), **changes}, elements)

    def validated(self, raw: Mapping[str, Any], elements: tuple[str, ...]) -> BaseModel:
        """Raw options on the way that those of a study go."""
        data = self.data(elements)
        model = self.declaration.options
        space = build_space(model, dict(raw), groups=data.groups, elements=data.elements)
        assert not len(space), f"tiny_options must be fixed, '{space.names[0]}' is searched"
        return validate_options(model, space.options({}))

    def component(self) -> Component[Fitter]:
        """A fresh fitter."""
        return self.registry.create_fitter(self.provider, None)

    def staged(self) -> StagedFitter:
        """A fresh staged fitter."""
        fitter = self.component().instance
        if not isinstance(fitter, StagedFitter):
            raise NotApplicable("the fitter is not staged")
        return fitter

    # -- verbs ---------------------------------------------------------------------------------

    def request(self, options: BaseModel, data: TrainingData, folder: Path, **rest: Any) -> FitRequest:
        """A request for one thread in a folder that exists."""
        folder.mkdir(parents=True, exist_ok=True)
        return FitRequest(options=options, data=data, directory=folder, **rest)

    def fit(self, options: BaseModel, data: TrainingData, folder: Path, **rest: Any) -> FittedPotential:
        """A plain fit with a fresh fitter."""
        return self.component().instance.fit(self.request(options, data.training(), folder, **rest))

    def prepare(self, options: BaseModel, data: TrainingData, folder: Path) -> Design:
        """A design from a fresh fitter."""
        return self.staged().prepare(self.request(options, data, folder))

    def predict(self, potential: FittedPotential, chosen: Sequence[Frame], folder: Path) -> Predictions:
        """Predictions of a fresh predictor."""
        name = self.predictor or self.registry.predictor_for(potential.format).name
        predictor: Predictor = self.registry.create("predictor", name).instance
        folder.mkdir(parents=True, exist_ok=True)
        return predictor.predict(potential, tuple(chosen), directory=folder)

    def fit_and_predict(
        self,
        options: BaseModel,
        data: TrainingData,
        folder: Path,
        chosen: Sequence[Frame] | None = None,
        **rest: Any,
    ) -> Fitted:
        """Fit, and predict the training frames or the given ones."""
        potential = self.fit(options, data, folder, **rest)
        return Fitted(potential, self.predict(potential, data.frames if chosen is None else chosen, folder))

    def base(self, elements: tuple[str, ...] = ONE) -> Fitted:
        """The fit with `tiny_options`; made once for all rules."""
        return _base(type(self), elements)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=64)
def _base(contract: type[FitterBench], elements: tuple[str, ...]) -> Fitted:
    keep = tempfile.TemporaryDirectory(prefix="xpot-kit-", ignore_cleanup_errors=True)
    atexit.register(keep.cleanup)
    folder = Path(keep.name).resolve()
    bench = contract()
    with environment(XPOT_CACHE=str(folder / "cache")):
        return bench.fit_and_predict(bench.options(elements), bench.data(elements), folder / "fit")


def difference(a: Predictions, b: Predictions) -> float:
    """Largest difference of energies, forces and virials, in eV and eV/Å."""
    return max((size for size, _, _ in _differences(a, b)), default=0.0)


def assert_same(
    a: Predictions, b: Predictions, chosen: Sequence[Frame], tolerance: float, what: str = "the predictions"
) -> None:
    """Refuse a `difference` above the tolerance, and name the quantity and the structure."""
    assert len(a.forces) == len(b.forces) == len(chosen)
    size, quantity, index = max(_differences(a, b), default=(0.0, "", 0))
    assert size <= tolerance, f"{what} differ by {size:.2g} in {quantity} of {described(chosen[index])}"


def _differences(a: Predictions, b: Predictions) -> Iterator[tuple[float, str, int]]:
    """Size, quantity and structure; infinite where one of both is not a number."""
    for i, (x, y) in enumerate(zip(a.forces, b.forces, strict=True)):
        yield _largest(a.energies[i] - b.energies[i]), "the energy", i
        yield _largest(x - y), "the forces", i
        if a.virials is not None and b.virials is not None:
            yield _largest(np.nan_to_num(a.virials[i]) - np.nan_to_num(b.virials[i])), "the virial", i


def _largest(values: Any) -> float:
    size = float(np.abs(values).max(initial=0.0))
    return math.inf if math.isnan(size) else size


def assert_sound(predictions: Predictions, chosen: Sequence[Frame]) -> None:
    """Shapes as promised and no NaN where a number belongs."""
    assert np.shape(predictions.energies) == (len(chosen),)
    assert len(predictions.forces) == len(chosen)
    for frame, energy, forces in zip(chosen, predictions.energies, predictions.forces, strict=True):
        assert np.isfinite(energy), f"the energy of {described(frame)} is not finite"
        assert np.shape(forces) == (frame.n_atoms, 3), (
            f"forces of {described(frame)} have shape {np.shape(forces)}"
        )
        assert np.isfinite(forces).all(), f"a force of {described(frame)} is not finite"
    if predictions.virials is not None:
        assert np.shape(predictions.virials) == (len(chosen), 3, 3)
        for frame, virial in zip(chosen, predictions.virials, strict=True):
            if frame.atoms.pbc.all():
                assert np.isfinite(virial).all(), f"the virial of {described(frame)} is not finite"
