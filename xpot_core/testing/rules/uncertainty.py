"""Rules of designs that know how sure their fit is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xpot_core.errors import TrialError
from xpot_core.testing.contracts.contract import NotApplicable, scratch
from xpot_core.testing.rules.bench import FitterBench
from xpot_core.types.fitting import UncertainDesign
from xpot_core.types.left_out import LeftOut
from xpot_core.types.structures import ALWAYS_TRAIN

_FRAMES = 3
_TOLERANCE = 1e-6
"""eV/atom and eV/Å: the fit of a trial has fewer digits than one factorisation for all frames."""


class UncertaintyRules(FitterBench):
    """Rules of `UncertainDesign`; other designs skip them."""

    def test_left_out_frames_are_those_of_refits(self) -> None:
        """`leave_one_out` says of a frame what a fit without it predicts."""
        options, data = self.options(), self.data()
        with scratch() as folder:
            found = self._left_out(self.prepare(options, data, folder / "design"))
            for place in range(0, len(found.frames), max(1, len(found.frames) // _FRAMES)):
                index = found.frames[place]
                frame = data.frames[index]
                # as a fold of its own: what a fitter chooses once for all folds is no matter of this rule
                folds = [min(fold, ALWAYS_TRAIN) for fold in data.folds]
                folds[index] = 0
                design = self.prepare(options, replace(data, folds=tuple(folds)), folder / f"design-{index}")
                target = folder / f"without-{index}"
                target.mkdir()
                potential = design.fit(options, directory=target, leave_out=0)
                said = self.predict(potential, [frame], folder / f"without-{index}")
                if frame.energy is not None:
                    error = (said.energies[0] - frame.energy) / frame.n_atoms
                    self._same(error, found.energies[place], f"energy of {frame.source} in eV/atom")
                if frame.forces is not None and frame.force_mask is None:
                    rmse = float(np.sqrt(np.mean((said.forces[0] - frame.forces) ** 2)))
                    self._same(rmse, found.forces[place], f"force RMSE of {frame.source} in eV/Å")

    def test_uncertainty_needs_no_reference_values(self) -> None:
        """Standard deviations and leverage are positive, for every frame, whatever is known of it."""
        options, data = self.options(), self.data()
        with scratch() as folder:
            design = self.prepare(options, data, folder)
            self._left_out(design)
            assert isinstance(design, UncertainDesign)
            bare = [replace(f, energy=None, forces=None, virial=None) for f in data.frames]
            one, other = (design.uncertainty(options, frames) for frames in (data.frames, bare))
            taken = design.most_informative(options, bare, 2)
        assert np.array_equal(one.energies, other.energies)
        assert len(one.energies) == len(one.leverage) == len(data.frames)
        assert (one.energies > 0).all()
        assert (one.leverage >= 0).all()
        assert [f.shape for f in one.forces] == [(f.n_atoms, 3) for f in data.frames]
        assert len(set(taken)) == 2

    @staticmethod
    def _same(refit: float, left_out: float, what: str) -> None:
        close = abs(refit - left_out) <= _TOLERANCE
        assert close, f"{what}: the fit without it is off by {refit:.6g}, leave_one_out says {left_out:.6g}"

    def _left_out(self, design: object) -> LeftOut:
        if not isinstance(design, UncertainDesign):
            raise NotApplicable("the design does not know how sure its fit is")
        try:
            return design.leave_one_out(self.options())
        except TrialError as error:
            raise NotApplicable(f"such a fit is refused: {error}") from error
