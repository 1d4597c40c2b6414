"""The fitter ``fitsnap``: SNAP by FitSNAP's own library, in a process of its own.

Nothing is kept between fits, so every weight and every fold costs a whole FitSNAP run; it is here for
those who want FitSNAP's numbers, and as an independent check of ours.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from pydantic import BaseModel
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_snap_model.columns import ColumnLayout
from xpot_snap_model.files import write_potential
from xpot_snap_model.settings import DescriptorSettings

from xpot_core.api import DesignErrors, FitRequest, FittedPotential, FloatArray, TrainingData, error_table
from xpot_fitsnap.options import FitsnapOptions
from xpot_fitsnap.running.run import run_fitsnap
from xpot_fitsnap.writing.plan import Plan
from xpot_fitsnap.writing.records import record
from xpot_fitsnap.writing.sections import sections

SOLVER = "FitSNAP SVD"


class FitsnapFitter:
    """Fits SNAP potentials by FitSNAP."""

    def prepare(self, request: FitRequest) -> FitsnapDesign:
        """Take the frames of all folds, so that weights mean the same in each of them."""
        return FitsnapDesign(request.data, request.directory)

    def fit(self, request: FitRequest) -> FittedPotential:
        """One run of FitSNAP."""
        return self.prepare(request).fit(request.options, directory=request.directory)


@dataclass(eq=False)
class FitsnapDesign:
    """Frames and folds for FitSNAP; see the module.

    Attributes
    ----------
    data
        All frames.
    directory
        For the files that a run needs while it lasts.
    seconds
        Nothing is prepared.
    """

    data: TrainingData
    directory: Path
    seconds: Mapping[str, float] = field(default_factory=lambda: {"descriptors": 0.0})

    def fit(
        self, options: BaseModel, *, directory: Path, leave_out: int | None = None, final: bool = False
    ) -> FittedPotential:
        """See `xpot_core.api.Design`."""
        if not isinstance(options, FitsnapOptions):
            raise TypeError(f"expected FitsnapOptions, got {type(options).__name__}")
        plan = Plan.of(options, self.data, leave_out)
        records = []
        for frame, name in zip(plan.frames, plan.names, strict=True):
            entry = record(frame, plan.settings.cutoff, lammps_frame=True)
            entry["Energy"] -= sum(plan.shifts[s] for s in entry["AtomTypes"])
            records.append({**entry, "Group": name, **asdict(plan.table[name])})
        zero = dict.fromkeys(self.data.elements, 0.0)
        content = sections(plan.settings, plan.table, zero, name="fit", data_path="JSON")
        result = run_fitsnap({"sections": content, "records": records}, directory)
        return write_potential(
            directory,
            plan.settings,
            coefficient_table(plan.settings, result["fit"]),
            plan.shifts,
            metadata={"solver": SOLVER},
            seconds={k: float(result[k]) for k in ("descriptors", "solve")},
        )

    def errors(self, options: BaseModel, *, leave_out: int | None = None) -> DesignErrors:
        """See `xpot_core.api.Design`; the potential is fitted, written and evaluated in LAMMPS."""
        with tempfile.TemporaryDirectory(dir=self.directory) as folder:
            potential = self.fit(options, directory=Path(folder), leave_out=leave_out)
            start = time.perf_counter()
            predictor = LammpsPredictor()
            train, validation = (
                error_table(predictor.predict(potential, part.frames, directory=Path(folder)), part.frames)
                for part in (self.data.training(leave_out), self.data.evaluation(leave_out))
            )
        seconds = {**potential.seconds, "predict": time.perf_counter() - start}
        return DesignErrors(train, validation, seconds, {"solver": SOLVER}, potential.notes)


def coefficient_table(settings: DescriptorSettings, fit: FloatArray) -> FloatArray:
    """FitSNAP's solution as (n_elements, 1 + n) coefficients, constant first, as LAMMPS reads them."""
    n = len(settings.elements)
    table = np.zeros((n, 1 + ColumnLayout.of(settings).n_lammps))
    first = 0 if settings.constant else 1
    table[:, first:] = fit.reshape(n, -1)
    return table
