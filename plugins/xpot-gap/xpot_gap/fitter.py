"""The GAP fitter: kernels once for many regressions, or gap_fit as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xpot_core.api import FitRequest, FittedPotential
from xpot_gap.gap_fit import xml
from xpot_gap.gap_fit.plan import DATA, Plan
from xpot_gap.options import GapOptions
from xpot_gap.potential.files import write_potential

if TYPE_CHECKING:
    from xpot_gap.regression.design import GapDesign


class GapFitter:
    """Fits Gaussian approximation potentials.

    See `xpot_gap.regression.design` for what is exact and what is approximate when a design is used again.
    """

    def fit(self, request: FitRequest) -> FittedPotential:
        """Fit the training frames once."""
        options = request.options
        assert isinstance(options, GapOptions)
        if options.engine == "gap_fit":
            return self._run_gap_fit(request)
        design = self.prepare(request)
        potential = design.fit(options, directory=request.directory, final=True)
        return replace(potential, seconds={**design.seconds, **potential.seconds})

    def prepare(self, request: FitRequest) -> GapDesign:
        """Choose sparse points and compute kernels; keep them."""
        from xpot_gap.regression.design import prepare

        return prepare(request)

    def _run_gap_fit(self, request: FitRequest) -> FittedPotential:
        """One run of the program, kernels and regression."""
        plan = Plan.make(request, request.data)
        virials = plan.options.virials
        given = plan.write_inputs(request.directory, request.data.frames, DATA, virials=virials, sigmas=True)
        arguments = plan.arguments(DATA)
        forecast = plan.foresee(request.directory, arguments, request.limits, request.threads)
        result, text = plan.execute(request.directory, arguments, given, request.limits, request.threads)
        plan.check_sigmas(result.log)
        return write_potential(
            request.directory,
            xml.with_stable_label(text),
            request.data.elements,
            seconds={"descriptors": result.seconds},
            notes=plan.notes_on(text),
            metadata={
                "command": ["gap_fit", *arguments],
                "predicted_peak_bytes": forecast.peak_bytes,
                "peak_bytes": result.peak_bytes,
                "n_sparse": len(xml.coefficients(text)),
                "counts": {"energies": given.energies, "forces": given.forces, "virials": given.virials},
                "e0": plan.e0,
            },
        )
