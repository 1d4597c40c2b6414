"""xpot-snap against FitSNAP and against plain least squares: parity and speed in one run.

    OMP_NUM_THREADS=1 python benchmarks/snap_parity_and_speed.py [--only cold,trial,...] [--structures N]

Reads ``$XPOT_DATA/zuo2020/Si_train.xyz`` (default ../shared/data beside the repository), quadratic SNAP. Writes
``benchmarks/results/snap_parity_and_speed.csv`` and ``.md``. Times are CPU seconds (of child processes
where a whole command is timed), so that a busy machine does not spoil the ratios; only the row about two
workers compares wall times, beside the CPU seconds of the busiest process.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import datetime
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from ase.io import read
from scipy.linalg import lstsq
from xpot_fitsnap.options import FitsnapOptions
from xpot_fitsnap.writing.export import write_fitsnap
from xpot_fitsnap.writing.sections import fitsnap_settings
from xpot_lammps_session import session as lammps_session
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_lammps_session.session import NKTV2P
from xpot_linear import LinearDesign, weights_of
from xpot_linear.blocks.build import build_blocks
from xpot_linear.blocks.orientation import cell_rotation, voigt_turn
from xpot_linear.blocks.problem import Problem
from xpot_linear.blocks.reduce import target_rows
from xpot_linear.processes import pool
from xpot_snap.basis import SnapBasis
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions
from xpot_snap_model.translate import descriptor_settings

from xpot_core.api import FitRequest, Frame, TrainingData

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("XPOT_DATA", ROOT.parent / "shared" / "data")) / "zuo2020" / "Si_train.xyz"
RESULTS = ROOT / "benchmarks" / "results"
FOLDS = 5
OPTIONS = SnapOptions(quadratic=True, rcutfac=4.7, eweight=100.0, fweight=1.0, vweight=1.0e-3, cache=False)

FITSNAP = """
import sys
from xpot_fitsnap.running import shim
shim.install()
infile = sys.argv[1]
sys.argv = ["fitsnap"]
from fitsnap3lib.fitsnap import FitSnap
fs = FitSnap(infile, arglist=["--overwrite"])
fs.scrape_configs()
fs.process_configs()
fs.perform_fit()
fs.write_output()
"""
KEEP = """
import numpy as np
arrays = fs.pt.shared_arrays
np.savez("matrix.npz", row_type=fs.pt.fitsnap_dict["Row_Type"], configs=fs.pt.fitsnap_dict["Configs"],
         **{k: arrays[k].array for k in "ab"})
"""
OURS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from snap_parity_and_speed import OPTIONS, load
from xpot_core.api import FitRequest
from xpot_snap.fitter import SnapFitter
options = OPTIONS.model_copy(update={"twojmax": int(sys.argv[2])})
data = load(int(sys.argv[3]), 0)
request = FitRequest(options, data, Path("."))
design = SnapFitter().prepare(request)
design.fit(options, directory=Path("."), final=sys.argv[4] == "final")
print(design.errors(options).train.summary()["force_rmse"])
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    target: str


def load(n: int, folds: int) -> TrainingData:
    """The first structures of the silicon training set (0: all); folds dealt out in turn."""
    frames = []
    for i, atoms in enumerate(read(DATA, ":")):
        bare = atoms.copy()
        bare.calc = None
        frames.append(
            Frame(
                bare,
                float(atoms.info["REF_energy"]),
                np.array(atoms.arrays["REF_forces"]),
                np.reshape(atoms.info["REF_virial"], (3, 3)),
                atoms.info["config_type"],
                f"Si_train.xyz#{i}",
                str(i),
            )
        )
    if n:
        frames = frames[:: max(1, len(frames) // n)][:n]
    labels = tuple(i % folds if folds else -1 for i in range(len(frames)))
    return TrainingData(tuple(frames), labels, ("Si",), tuple(sorted({f.group for f in frames})))


def cpu(work: Callable[[], object], repeats: int = 1) -> float:
    """Best CPU seconds of this process."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return float(best)


def child_cpu(arguments: list[str], folder: Path) -> float:
    """CPU seconds of a whole command."""
    path = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stdout + run.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cold(n: int, rows: list[Row]) -> None:
    """A whole fit from files to files, and parity of the matrix on the same data."""
    data = load(n, 0)
    options = OPTIONS.model_copy(update={"twojmax": 6})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        infile = write_fitsnap(folder, FitsnapOptions.of(options), data)
        theirs = child_cpu([sys.executable, "-c", FITSNAP, infile], folder)
        for kind, label in (("search", "Gram and Cholesky"), ("final", "QR")):
            arguments = [sys.executable, "-c", OURS, str(Path(__file__).parent), "6", str(n), kind]
            ours = child_cpu(arguments, folder)
            rows.append(
                Row(
                    f"cold fit, twojmax 6, {label}",
                    ours,
                    theirs,
                    "CPU s",
                    theirs / ours,
                    ">= 1.8" if kind == "search" else "",
                )
            )
        child_cpu([sys.executable, "-c", FITSNAP + KEEP, infile], folder)
        parity(options, data, folder / "matrix.npz", rows)


def parity(options: SnapOptions, data: TrainingData, file: Path, rows: list[Row]) -> None:
    """Largest difference of A and b against the largest entry of the same column and kind of row."""
    with np.load(file) as found:
        a, b, kinds, configs = (found[k] for k in ("a", "b", "row_type", "configs"))
    worst = {"A": 0.0, "b": 0.0}
    scale = {kind: np.abs(a[kinds == kind]).max(axis=0) for kind in np.unique(kinds)}
    scale_b = {kind: np.abs(b[kinds == kind]).max() for kind in np.unique(kinds)}
    basis = SnapBasis(fitsnap_settings(FitsnapOptions.of(options), data.elements))
    with contextlib.closing(basis):
        problem = Problem.of(basis, data, constants=data.elements)
        for i, frame in enumerate(data.frames):
            own = configs == f"{i:06d}.json"
            r, rotation = target_rows(problem, i), cell_rotation(np.array(frame.atoms.cell))
            assert r.energy is not None and r.forces is not None and r.virial is not None  # noqa: PT018
            forces = rotation.T @ r.forces.reshape(frame.n_atoms, 3, -1)
            parts = {
                "Energy": r.energy[None] / frame.n_atoms,
                "Force": forces.reshape(3 * frame.n_atoms, -1),
                "Stress": voigt_turn(rotation) @ r.virial * (NKTV2P / frame.atoms.get_volume()),
            }
            for kind, part in parts.items():
                mask = own & (kinds == kind)
                safe = np.where(scale[kind] > 0, scale[kind], 1.0)
                worst["A"] = max(worst["A"], float((np.abs(part[:, :-1] - a[mask]) / safe).max()))
                worst["b"] = max(worst["b"], float(np.abs(part[:, -1] - b[mask]).max() / scale_b[kind]))
    for what, value in worst.items():
        rows.append(
            Row(f"{what} against FitSNAP's", value, float("nan"), "of scale", float("nan"), "<= 1e-10")
        )


def overhead(n: int, rows: list[Row]) -> None:
    """Everything around ``compute snap``: set-up of structures, copies, Gram matrices."""
    inside = [0.0]
    original = lammps_session.LammpsSession.global_array

    def timed(self: lammps_session.LammpsSession, compute: str) -> np.ndarray:
        start = time.process_time()
        result = original(self, compute)
        inside[0] += time.process_time() - start
        return result

    lammps_session.LammpsSession.global_array = timed  # type: ignore[method-assign]
    try:
        for twojmax in (6, 8):
            data = load(n, 0)
            options = OPTIONS.model_copy(update={"twojmax": twojmax})
            settings = descriptor_settings(options, data.elements, constant=options.constant)
            spent = {}
            for products in (False, True):
                inside[0] = 0.0
                with contextlib.closing(SnapBasis(settings, form_products=products)) as basis:
                    spent[products] = cpu(lambda basis=basis: [basis.rows(f) for f in data.frames])  # type: ignore[misc]  # noqa: B023
                if not products:
                    theirs = inside[0]
            for products, how in ((True, "as used"), (False, "all by LAMMPS")):
                what = f"descriptors ({how}) / LAMMPS' own compute snap, twojmax {twojmax}"
                rows.append(Row(what, spent[products], theirs, "CPU s", spent[products] / theirs, "<= 1.15"))
            request = FitRequest(options, data, Path("."))
            total = cpu(lambda request=request: SnapFitter().prepare(request))  # type: ignore[misc]
            what = f"the same with Gram blocks, twojmax {twojmax}"
            rows.append(Row(what, total, theirs, "CPU s", total / theirs, ""))
    finally:
        lammps_session.LammpsSession.global_array = original  # type: ignore[method-assign]


def workers(n: int, rows: list[Row]) -> None:
    """Two worker processes against one."""
    data = load(n, 0)
    options = OPTIONS.model_copy(update={"twojmax": 8})
    basis = SnapBasis(descriptor_settings(options, data.elements, constant=options.constant))
    problem = Problem.of(basis, data, constants=data.elements)
    build_blocks(problem, workers=2)  # starts the processes, as an earlier trial would have
    seconds, busiest = {}, {}
    for count in (1, 2):
        before, own, start = _worker_cpu(), time.process_time(), time.perf_counter()
        build_blocks(problem, workers=count)
        seconds[count] = time.perf_counter() - start
        used = [b - a for a, b in zip(before, _worker_cpu(), strict=True)]
        busiest[count] = max([time.process_time() - own, *used])
    rows.append(Row("two workers, wall", seconds[2], seconds[1], "s", seconds[1] / seconds[2], ">= 1.7"))
    ratio = busiest[1] / busiest[2]
    rows.append(Row("two workers, busiest process", busiest[2], busiest[1], "CPU s", ratio, ">= 1.7"))


def _worker_cpu() -> list[float]:
    tick = os.sysconf("SC_CLK_TCK")
    times = []
    for worker in pool._pool._workers if pool._pool else []:
        fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()
        times.append((int(fields[11]) + int(fields[12])) / tick)
    return times


def trial(n: int, rows: list[Row]) -> None:
    """A weights-only trial and cross-validation at twojmax 8 against a dense least-squares solver."""
    data = load(n, FOLDS)
    options = OPTIONS.model_copy(update={"twojmax": 8, "max_matrix_memory": 4.0})
    with tempfile.TemporaryDirectory() as name:
        design = SnapFitter().prepare(FitRequest(options, data, Path(name)))
        assert isinstance(design, LinearDesign)
        blocks = design.blocks
        assert blocks.matrix is not None
        weights = weights_of(options, data.groups)
        rows_of = np.concatenate(list(design.regression.weighted_rows(weights)))
        a, b = rows_of[:, :-1], rows_of[:, -1]
        found = []
        dense = cpu(lambda: found.append(lstsq(a, b, lapack_driver="gelsd", check_finite=False)[0]), 2)
        # other weights every time, as in a search
        values = iter(range(1, 100))
        together = cpu(
            lambda: [
                design.errors(changed, leave_out=f)
                for changed in [options.model_copy(update={"eweight": 100.0 + next(values)})]
                for f in range(FOLDS)
            ],
            3,
        )
        single_data = replace(data, folds=(-1,) * len(data.frames))
        single = SnapFitter().prepare(FitRequest(options, single_data, Path(name)))
        assert isinstance(single, LinearDesign)
        fast = cpu(lambda: single.errors(options.model_copy(update={"eweight": 100.0 + next(values)})), 25)
        rows.append(
            Row("weights-only trial, twojmax 8, against gelsd", fast, dense, "CPU s", dense / fast, ">= 100")
        )
        rows.append(
            Row(
                "5-fold CV, twojmax 8, against 5 gelsd",
                together,
                5 * dense,
                "CPU s",
                5 * dense / together,
                ">= 20",
            )
        )
        mine = single.errors(options).train
        exact, _ = single.regression.errors(found[0], None, exact=True)
        worst = max(
            abs(mine.total(q).rmse / exact.total(q).rmse - 1.0) for q in ("energy", "force", "virial")
        )
        rows.append(Row("RMSEs against gelsd's", worst, float("nan"), "relative", float("nan"), "<= 1e-6"))
        potential = single.fit(options, directory=Path(name))
        predicted = LammpsPredictor().predict(potential, data.frames, directory=Path(name)).energies
        x = single.regression.solve(weights).coefficients
        n_atoms = blocks.n_atoms
        difference = np.abs(predicted / n_atoms - blocks.energy.rows[:, 0, :-1] @ x).max()
        rows.append(
            Row(
                "pair_style snap against design", difference, float("nan"), "eV/atom", float("nan"), "<= 1e-8"
            )
        )


PARTS: dict[str, Callable[[int, list[Row]], None]] = {
    "cold": cold,
    "overhead": overhead,
    "workers": workers,
    "trial": trial,
}


def write(rows: list[Row], n: int) -> None:
    """CSV and markdown tables."""
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / "snap_parity_and_speed"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    with stem.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["what", "ours", "theirs", "unit", "ratio", "target"])
        writer.writerows([[r.what, r.ours, r.theirs, r.unit, r.ratio, r.target] for r in rows])
    lines = [
        "# xpot-snap: parity and speed",
        "",
        f"{datetime.date.today()}; {machine}; Python {platform.python_version()}, lammps {version('lammps')}, "
        f"numpy {version('numpy')}; Si of Zuo et al. (2020), {n or 214} structures, quadratic SNAP. Load average "
        f"when written: {os.getloadavg()[0]:.1f}.",
        "",
        "| what | ours | theirs | unit | ratio | wanted |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        theirs = "" if np.isnan(r.theirs) else f"{r.theirs:.4g}"
        ratio = "" if np.isnan(r.ratio) else f"{r.ratio:.2f}"
        lines.append(f"| {r.what} | {r.ours:.4g} | {theirs} | {r.unit} | {ratio} | {r.target} |")
    stem.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--structures", type=int, default=0, help="fewer structures, for a quick look")
    given = parser.parse_args()
    rows: list[Row] = []
    for name in given.only.split(","):
        PARTS[name](given.structures, rows)
        print(*rows, sep="\n", flush=True)
    write(rows, given.structures)


if __name__ == "__main__":
    main()
