"""Engine ``fitsnap``: the same fit through FitSNAP's own library, in a process of its own.

Nothing is kept between fits, so every weight and every fold costs a whole FitSNAP run; it is here for
those who want FitSNAP's numbers, and as an independent check of ours.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import BaseModel
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_linear import energy_shifts, fit_factors, target_energies, weights_of
from xpot_snap_model.columns import ColumnLayout
from xpot_snap_model.files import write_potential
from xpot_snap_model.settings import DescriptorSettings
from xpot_snap_model.translate import descriptor_settings

from xpot_core.api import (
    DesignErrors,
    FitError,
    FittedPotential,
    FloatArray,
    InputError,
    TrainingData,
    child_process,
    error_table,
    log_tail,
)
from xpot_snap.fitsnap.input import fitsnap_settings, group_plan, record, sections, structure_factors
from xpot_snap.options import SnapOptions

LOG = "fitsnap.log"


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
        if not isinstance(options, SnapOptions):
            raise TypeError(f"expected SnapOptions, got {type(options).__name__}")
        if options.ridge > 0:
            raise InputError(
                "FitSNAP's ridge is another one", key="ridge", value=options.ridge, remedy="ridge: 0"
            )
        if importlib.util.find_spec("fitsnap3lib") is None:
            raise InputError(
                "FitSNAP is not installed",
                key="engine",
                value="fitsnap",
                remedy="pip install 'xpot-snap[fitsnap]'",
            )
        data = self.data.training(leave_out)
        settings = fitsnap_settings(descriptor_settings(options, data.elements, constant=options.constant))
        shifts = energy_shifts(options, data)
        # of all frames: a fold that is left out counts for the lowest energies
        own = fit_factors(self.data, target_energies(self.data, shifts), options.boltzmann_temperature)
        trained = [own[i] for i in self.data.training_indices(leave_out)]
        names, table = group_plan(
            data.frames, weights_of(options, data.groups), structure_factors(data.frames, trained)
        )
        records = []
        for frame, name in zip(data.frames, names, strict=True):
            w = table[name]
            entry = record(frame, settings.cutoff, lammps_frame=True)
            entry["Energy"] -= sum(shifts[s] for s in entry["AtomTypes"])
            records.append(
                {**entry, "Group": name, "eweight": w.eweight, "fweight": w.fweight, "vweight": w.vweight}
            )
        zero = dict.fromkeys(data.elements, 0.0)
        job = {"sections": sections(settings, table, zero, name="fit", data_path="JSON"), "records": records}
        result = run_fitsnap(job, directory)
        return write_potential(
            directory,
            settings,
            coefficient_table(settings, result["fit"]),
            shifts,
            metadata={"solver": "FitSNAP SVD"},
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
        return DesignErrors(train, validation, seconds, {"solver": "FitSNAP SVD"}, potential.notes)


def coefficient_table(settings: DescriptorSettings, fit: FloatArray) -> FloatArray:
    """FitSNAP's solution as (n_elements, 1 + n) coefficients, constant first, as LAMMPS reads them."""
    n = len(settings.elements)
    table = np.zeros((n, 1 + ColumnLayout.of(settings).n_lammps))
    first = 0 if settings.constant else 1
    table[:, first:] = fit.reshape(n, -1)
    return table


def run_fitsnap(job: Mapping[str, object], directory: Path) -> dict[str, FloatArray]:
    """Run one job in a child process; its output goes to ``fitsnap.log`` in `directory`.

    Parameters
    ----------
    job
        ``sections``, ``records`` and optionally ``matrix``; see `child`.
    directory
        Working directory of the child.

    Raises
    ------
    FitError
        If FitSNAP fails; the log's tail goes with it.
    """
    with tempfile.TemporaryDirectory(dir=directory, prefix="fitsnap-") as name:
        folder = Path(name)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        environment = {
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        }
        log = directory / LOG
        log.unlink(missing_ok=True)
        command = [sys.executable, "-P", "-m", "xpot_snap.fitsnap.child", "job.json", "result.npz"]
        with child_process(command, folder, log, environment) as process:
            status = process.wait()
        if status != 0:
            text = log_tail(log, 4000)
            last = text.strip().splitlines()[-1] if text.strip() else "no output"
            raise FitError(f"FitSNAP failed (exit status {status}): {last}", log=text)
        with np.load(folder / "result.npz") as result:
            return {key: result[key] for key in result.files}
