"""The GAP predictor: quippy in processes of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from xpot_core.api import FittedPotential, FloatArray, Frame, Limits, PredictError, Predictions, periodic_cell
from xpot_gap.gap_fit.data_file import VACUUM
from xpot_gap.gap_fit.runner import TAIL, run
from xpot_gap.options import GapPredictorOptions

# Longer than any cutoff in use: cells of molecules are padded by it.
_LONGEST_CUTOFF = 12.0


class GapPredictor:
    """Evaluates ``gap-xml`` potentials.

    Frames are dealt out to as many processes as threads are allowed; one that crashes takes nothing
    else with it.

    Parameters
    ----------
    options
        Options of the predictor.
    """

    def __init__(self, options: GapPredictorOptions | None = None) -> None:
        self.options = options or GapPredictorOptions()

    def predict(
        self, potential: FittedPotential, frames: Sequence[Frame], *, directory: Path, threads: int = 1
    ) -> Predictions:
        """Energies, forces, virials and, where asked, the energy variance of frames in their order.

        The variance of a cell is the sum of the variances of its atomic energies: correlations between
        atoms are left out, as in quippy itself.
        """
        n_processes = max(1, min(threads, len(frames)))
        # Cost goes with atoms: deal the largest cells out first, each to the lightest share.
        shares: list[list[int]] = [[] for _ in range(n_processes)]
        loads = [0] * n_processes
        for index in sorted(range(len(frames)), key=lambda i: -frames[i].n_atoms):
            lightest = loads.index(min(loads))
            shares[lightest].append(index)
            loads[lightest] += frames[index].n_atoms
        energies, variances = np.zeros(len(frames)), np.zeros(len(frames))
        virials = np.full((len(frames), 3, 3), np.nan)
        forces: list[FloatArray] = [np.zeros((f.n_atoms, 3)) for f in frames]
        with ThreadPoolExecutor(n_processes) as pool:
            jobs = [
                pool.submit(self._share, potential, [frames[i] for i in share], directory, number)
                for number, share in enumerate(shares)
                if share
            ]
            for share, job in zip([s for s in shares if s], jobs, strict=True):
                result = job.result()
                ends = np.cumsum([frames[i].n_atoms for i in share])[:-1]
                for position, (index, part) in enumerate(
                    zip(share, np.split(result["forces"], ends), strict=True)
                ):
                    energies[index] = result["energies"][position]
                    variances[index] = result["variances"][position]
                    forces[index] = part
                    if frames[index].atoms.pbc.all():
                        virials[index] = result["virials"][position]
        self._check(energies, forces, frames)
        return Predictions(energies, forces, virials, variances if self.options.variance else None)

    def _share(
        self, potential: FittedPotential, frames: Sequence[Frame], directory: Path, number: int
    ) -> dict[str, FloatArray]:
        source, target = directory / f"predict-{number}-in.npz", directory / f"predict-{number}-out.npz"
        np.savez(
            source,
            xml=str(potential.path("potential").resolve()),
            variance=self.options.variance,
            counts=np.array([f.n_atoms for f in frames]),
            numbers=np.concatenate([f.atoms.numbers for f in frames]),
            positions=np.concatenate([f.atoms.positions for f in frames]),
            cells=np.array([periodic_cell(f.atoms, _LONGEST_CUTOFF + VACUUM) for f in frames]),
        )
        try:
            result = run(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "xpot_gap.potential.evaluate",
                    str(source.resolve()),
                    str(target.resolve()),
                ],
                directory,
                log_name=f"predict-{number}.log",
                limits=Limits(seconds=self.options.timeout),
                what="quippy",
                error=PredictError,
            )
            if not target.is_file():
                # quippy stops with status 0 where it cannot read a potential.
                raise PredictError(
                    "quippy could not read or evaluate the potential",
                    remedy=f"see predict-{number}.log",
                    log=result.log[-TAIL:],
                )
            with np.load(target) as data:
                return dict(data)
        finally:
            source.unlink(missing_ok=True)
            target.unlink(missing_ok=True)

    @staticmethod
    def _check(energies: FloatArray, forces: Sequence[FloatArray], frames: Sequence[Frame]) -> None:
        for energy, force, frame in zip(energies, forces, frames, strict=True):
            if not (np.isfinite(energy) and np.isfinite(force).all()):
                raise PredictError(
                    f"the potential gives NaN for {frame.source or 'a structure of group ' + frame.group}",
                    remedy="atoms may be on top of each other, or the fit is ruined: see its log",
                )
