"""The fitter ``mace``: structures and options in, a trained model out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from xpot_core.api import (
    ErrorTable,
    FitError,
    FitRequest,
    FittedPotential,
    Frame,
    Predictions,
    error_table,
    replaced_folder,
)
from xpot_mace.options import Architecture, MaceOptions
from xpot_mace.potential.installed import require
from xpot_mace.run_train.config import CONFIG, TRAIN, VALID, configuration
from xpot_mace.training.messages import Epoch, Job
from xpot_mace.training.process import PROCESS
from xpot_mace.training.structures import (
    atomic_energies,
    groups_by_name,
    labelled,
    trained_on,
    write_structures,
)

LOG, MODEL = "fit.log", "mace.model"
_STAND_IN = 10
"""Where nothing is held out, every so many-th training structure tells the learning rate of a plateau."""


class MaceFitter:
    """Trains MACE networks; each fit is one training."""

    def fit(self, request: FitRequest) -> FittedPotential:
        """See `xpot_core.api.Fitter`; the configuration stays beside the potential."""
        options = request.options
        if not isinstance(options, MaceOptions):
            raise TypeError(f"expected MaceOptions, got {type(options).__name__}")
        require()
        _refuse_what_a_foundation_decides(options, request)
        start, directory = time.perf_counter(), request.directory
        held = labelled(request.held_out)
        job = _job(options, request, best=options.best_epoch and bool(held))
        _write(job.folder, options, request, held)

        def on_epoch(epoch: Epoch) -> None:
            request.report(epoch.step, _errors(epoch, held))
            request.progress(f"epoch {epoch.step} of {options.max_num_epochs}, loss {epoch.loss:.4g}")

        def keep(write: Callable[[Path], None]) -> None:
            if request.checkpoint is not None:
                with replaced_folder(request.checkpoint) as folder:
                    write(folder)

        try:
            done = PROCESS.train(job, on_epoch, keep, request.limits)
        finally:
            shutil.copy(job.folder / CONFIG, directory / CONFIG)
            shutil.rmtree(job.folder, ignore_errors=True)
        seconds = {"solve": time.perf_counter() - start}
        return FittedPotential.from_files(
            "mace", directory, {"model": MODEL}, request.data.elements, seconds=seconds, metadata=done.facts
        )


def _job(options: MaceOptions, request: FitRequest, *, best: bool) -> Job:
    folder = request.directory.absolute() / "training"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return Job(
        folder=folder,
        log=request.directory.absolute() / LOG,
        model=request.directory.absolute() / MODEL,
        epochs=options.max_num_epochs,
        seed=request.seed if options.seed is None else options.seed,
        device=options.device,
        threads=request.threads,
        start_swa=options.start_swa,
        best_epoch=best,
        resume_from=None if request.resume_from is None else request.resume_from.absolute(),
    )


def _write(folder: Path, options: MaceOptions, request: FitRequest, held: tuple[Frame, ...]) -> None:
    """Write the configuration and the structures."""
    data = request.data
    groups = groups_by_name(data.groups)
    frames = trained_on(data)
    write_structures(folder / TRAIN, frames, options, groups)
    write_structures(folder / VALID, held or frames[::_STAND_IN], options, groups)
    content = configuration(
        options,
        elements=data.elements,
        groups=groups,
        energies=atomic_energies(options, data),
        seed=request.seed,
        device="cuda" if options.device == "cuda" else "cpu",
    )
    for name in ("foundation_model", "pt_train_file"):
        if name in content:
            # mace runs in that folder
            content[name] = str(Path(content[name]).absolute())
    (folder / CONFIG).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _errors(epoch: Epoch, held: tuple[Frame, ...]) -> ErrorTable:
    if not held:
        return ErrorTable()
    return error_table(Predictions(epoch.energies, epoch.forces, epoch.virials), held)


def _refuse_what_a_foundation_decides(options: MaceOptions, request: FitRequest) -> None:
    if options.foundation_model is None:
        return
    if not Path(options.foundation_model).is_file():
        raise FitError(
            f"there is no model {options.foundation_model}",
            remedy="name the file of a MACE model; nothing is downloaded",
        )
    decided = sorted(set(Architecture.model_fields) & set(request.tuned))
    if decided:
        raise FitError(
            f"{', '.join(decided)} cannot be searched: the foundation model decides", remedy="leave them out"
        )
