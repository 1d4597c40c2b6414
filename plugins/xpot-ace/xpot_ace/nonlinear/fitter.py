"""The fitter ``pacemaker``: non-linear ACE by the program of that name."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from xpot_ace.descriptors.backend import pyace
from xpot_ace.nonlinear.job import INPUT, reference_energies, write_job
from xpot_ace.nonlinear.options import PacemakerOptions
from xpot_ace.nonlinear.run import OUTPUT, run_pacemaker
from xpot_ace.pacemaker.potential_files import potential_of
from xpot_core.api import FitRequest, FittedPotential

LOG = "fit.log"


class PacemakerFitter:
    """Fits non-linear ACE potentials; each fit is one run of pacemaker."""

    def fit(self, request: FitRequest) -> FittedPotential:
        """See `xpot_core.api.Fitter`; the input stays beside the potential."""
        options = request.options
        if not isinstance(options, PacemakerOptions):
            raise TypeError(f"expected PacemakerOptions, got {type(options).__name__}")
        start, directory = time.perf_counter(), request.directory
        shifts = reference_energies(options, request.data)
        with tempfile.TemporaryDirectory(dir=directory) as name:
            folder = Path(name)
            write_job(folder, options, request.data, shifts, request.seed)
            shutil.copy(folder / INPUT, directory / INPUT)
            run_pacemaker(
                folder,
                directory / LOG,
                evaluator=options.evaluator,
                threads=request.threads,
                limits=request.limits,
            )
            basis_set = pyace().ACEBBasisSet(str(folder / OUTPUT))
        seconds = {"solve": time.perf_counter() - start}
        facts = {"solver": "pacemaker", "seed": request.seed}
        return potential_of(basis_set, shifts, directory, seconds=seconds, metadata=facts)
