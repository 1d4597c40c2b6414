"""What one trial costs, where its time goes and how it grows; against FitSNAP's command on the same two cores.

    python benchmarks/trial_cost.py [--only two-cores pairs split growth] [--mpi4py DIR] [--quick]

A trial by hand, as the published XPOT makes it: FitSNAP's command, an evaluation of training and validation structures
by pair_style snap, one ask of scikit-optimize's Gaussian process at 50 observations. A trial of xpot is one of a
running study: new descriptors, training and validation errors, ask of ``skopt-gp`` at 50 observations, store, dispatch.
Quadratic SNAP on ``$XPOT_DATA/zuo2020/Si_*.xyz``, everything in fresh processes that may use two cores. FitSNAP runs
under MPI too if mpi4py is found, here or in DIR (``pip install --no-deps --target build/mpi4py mpi4py``: beside
the environment, because LAMMPS and FitSNAP behave differently where they can import it).

Wall times want a machine that does nothing else; of repeated runs the fastest counts. Writes
``results/trial_cost.md``, ``.csv`` and ``.png``; parts that are not run stay as they are.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import trial_cost_page
from fresh import Spent, environment, spend, together, wait_for_quiet
from trial_child import Settings, study_file
from xpot_fitsnap.options import FitsnapOptions
from xpot_fitsnap.writing.export import write_fitsnap

from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
CHILD = str(HERE / "trial_child.py")
OBSERVATIONS = 50
QUIET = 0.1
"""A wall time counts as undisturbed if no more than this part of it was waiting for a core."""
SEARCH = Settings(optimizer="skopt-gp", observations=OBSERVATIONS, warm=1, trials=4)
MPI4PY = HERE.parent / "build" / "mpi4py"
FITSNAP_STEPS = {
    "scrape_configs": "scrape",
    "process_configs": "descriptors",
    "fit": "solve",
    "error_analysis": "predict",
    "write_output": "write",
}

Row = dict[str, Any]


def row(part: str, what: str, value: object, run: Spent, **more: object) -> Row:
    """One line of the CSV, with the state of the machine; `more` may say better what a trial took than the run."""
    found = {
        "part": part,
        "what": what,
        "value": value,
        "wall_s": run.wall,
        "cpu_s": run.cpu,
        "memory_GB": run.memory,
        "delay_s": run.delay,
        **more,
    }
    print({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in found.items()}, flush=True)
    return {**found, "date": time.strftime("%Y-%m-%d"), "load": round(os.getloadavg()[0], 1)}


class Patience:
    """Repeats measurements of wall time, when the machine is quiet if that is worth waiting for.

    Attributes
    ----------
    repeats
        Runs of which the fastest counts; as many again if others disturbed all of them.
    seconds
        How long may still be waited.
    """

    def __init__(self, repeats: int, seconds: float) -> None:
        self.repeats, self.seconds = repeats, seconds

    def fastest(self, work: Callable[[], Spent], wall: Callable[[Spent], float] = lambda s: s.wall) -> Spent:
        """The run of the least wall time."""
        runs: list[Spent] = []
        while len(runs) < self.repeats or (
            self.seconds > 0 and len(runs) < 2 * self.repeats and min(r.delay / r.wall for r in runs) > QUIET
        ):
            self.seconds -= wait_for_quiet(self.seconds)
            runs.append(work())
        return min(runs, key=wall)


def study(settings: Settings, folder: Path) -> Spent:
    """Trials of a study in a fresh process."""
    return spend([sys.executable, CHILD, "study", settings.to_json()], folder)


# -- by hand -----------------------------------------------------------------------------------


def fitsnap_folder(folder: Path, settings: Settings) -> str:
    """Write the input and the JSON files of the training structures; gives the input's name."""
    folder.mkdir()
    raw = study_file(settings, folder)
    made = Study(study_from_dict(raw, str(folder)), folder)
    options = FitsnapOptions.of(made.runner.options(made.space.defaults()))
    return write_fitsnap(folder, options, made.dataset.data)


def fitsnap(
    folder: Path, infile: str, *, threads: int = 1, ranks: int = 0, mpi4py: str = "", clock: str = "wall"
) -> Spent:
    """FitSNAP's command, serial or with MPI ranks."""
    command = [sys.executable, str(HERE / "fitsnap_command.py"), infile]
    if clock == "cpu":
        command.append("--cpu")
    if not ranks:
        return spend(command, folder, environment(threads))
    own = Path(sys.executable).with_name("mpiexec")
    launcher = str(own) if own.exists() else shutil.which("mpiexec")
    if launcher is None:
        raise RuntimeError("there is no mpiexec")
    return spend([launcher, "-n", str(ranks), *command], folder, environment(threads, [mpi4py]))


def steps(run: Spent, whole: float) -> dict[str, float]:
    """Seconds that FitSNAP says its steps took; the rest of the whole is start and imports."""
    found = re.findall(r"'(\w+)' took ([\d.]+) ms", run.output)
    split = {FITSNAP_STEPS[name]: float(ms) / 1e3 for name, ms in found if name in FITSNAP_STEPS}
    return {"imports": whole - sum(split.values()), **split}


def mpi_folder(given: str | None) -> tuple[str, str]:
    """Folder that mpi4py is imported from (empty: the environment) and why there is none."""
    if importlib.util.find_spec("mpi4py") is not None:
        return "", ""
    for folder in filter(None, (given, str(MPI4PY))):
        if (Path(folder) / "mpi4py").is_dir():
            return str(Path(folder).resolve()), ""
    return "", "mpi4py is not installed"


def by_hand(
    folder: Path, base: Settings, quick: bool, mpi4py: str | None, patience: Patience
) -> Iterator[Row]:
    """FitSNAP, the evaluation and the ask, each in every way that two cores can be used."""
    infile = fitsnap_folder(folder / "a", base)
    where, missing = mpi_folder(mpi4py)
    ways: list[tuple[str, dict[str, Any]]] = [
        ("serial", {}),
        ("serial, BLAS on 2 threads", {"threads": 2}),
        ("MPI, 2 ranks", {"ranks": 2, "mpi4py": where}),
        ("MPI, 2 ranks, BLAS on 2 threads", {"ranks": 2, "mpi4py": where, "threads": 2}),
    ]
    for name, way in ways[::2] if quick else ways:
        try:
            if way.get("ranks") and missing:
                raise RuntimeError(missing)
            run = patience.fastest(lambda way=way: fitsnap(folder / "a", infile, **way))  # type: ignore[misc]
        except RuntimeError as error:
            if not way.get("ranks"):
                raise
            # without MPI the comparison is with the serial command, and the page says why
            reason = str(error).strip().splitlines()[-1]
            yield row("two-cores", "fit", name, Spent(float("nan"), float("nan")), note=reason)
            continue
        yield row("two-cores", "fit", name, run, **steps(run, run.wall))
    asking = replace(base, observations=OBSERVATIONS)
    for what, settings in (("predict", base), ("ask", asking)):
        for count in (1,) if quick else (1, 2):
            # an evaluation is shared by processes, an ask by the threads of BLAS
            parts = count if what == "predict" else 1
            commands = [child(what, replace(settings, share=(i, parts))) for i in range(parts)]
            variables = environment(1 if what == "predict" else count)
            run = patience.fastest(lambda c=commands, v=variables: together(c, folder, v))  # type: ignore[misc]
            yield row("two-cores", what, f"on {count} core{'s' if count > 1 else ''}", run)


def pairs(patience: Patience) -> Iterator[Row]:
    """Two trials by hand side by side: half of the wall time is what one of them costs."""
    base = Settings()
    asking = replace(base, observations=OBSERVATIONS)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        folder = Path(name)
        infile = fitsnap_folder(folder / "a", base)
        shutil.copytree(folder / "a", folder / "b")

        def pair() -> Spent:
            both = list(pool.map(lambda n: fitsnap(folder / n, infile), "ab"))
            # column by column: seconds of the slower one, all else added up
            cpu, memory, delay = (
                sum(c) for c in zip(*((s.cpu, s.memory, s.delay) for s in both), strict=True)
            )
            return Spent(max(s.wall for s in both), cpu, memory, delay=delay)

        yield pair_row("fit", patience.fastest(pair))
        for what, settings in (("predict", base), ("ask", asking)):
            commands = [child(what, settings)] * 2
            yield pair_row(what, patience.fastest(lambda c=commands: together(c, folder)))  # type: ignore[misc]


def pair_row(what: str, run: Spent) -> Row:
    """What one of two costs that run at once."""
    return row("pairs", what, "2 at once", replace(run, wall=run.wall / 2, cpu=run.cpu / 2))


def child(what: str, settings: Settings) -> list[str]:
    """The command of one measurement."""
    return [sys.executable, CHILD, what, settings.to_json()]


# -- xpot --------------------------------------------------------------------------------------


def two_cores(quick: bool, mpi4py: str | None, patience: Patience) -> Iterator[Row]:
    """A trial by hand and a trial of xpot, both with two cores."""
    base = Settings(structures=50 if quick else 0)
    with tempfile.TemporaryDirectory() as name:
        yield from by_hand(Path(name), base, quick, mpi4py, patience)
        search = replace(SEARCH, structures=base.structures)
        trials = 4 if quick else 8
        ways = {
            "two trials at once": replace(search, executor={"local": {"workers": 2}}, warm=2, trials=trials),
            "one trial, two processes": replace(
                search, executor={"serial": {"threads": 2}}, trials=trials // 2
            ),
            "one trial on one core": replace(search, executor={"local": {"workers": 1}}, trials=trials // 2),
        }
        for what, settings in ways.items():
            run = patience.fastest(
                lambda s=settings: study(s, Path(name)),  # type: ignore[misc]
                wall=lambda s: float(s.facts["flat"]["wall"]),
            )
            flat = run.facts["flat"]
            yield row("two-cores", "xpot", what, run, wall_s=flat["wall"], cpu_s=flat["cpu"])


def split(quick: bool) -> Iterator[Row]:
    """Where the CPU seconds of a trial go, one after the other on one core."""
    base = replace(SEARCH, structures=50 if quick else 0, trials=2 if quick else 4, weights=20, clock="cpu")
    kinds = {"SNAP": base, "SNAP, 5-fold": replace(base, folds=5)}
    if importlib.util.find_spec("xpot_gap") is not None and not quick:
        kinds["GAP"] = replace(base, fitter="gap", structures=40, trials=1, alone=1)
    with tempfile.TemporaryDirectory() as name:
        for kind, settings in kinds.items():
            again = "sigmas only" if kind == "GAP" else "weights only"
            names = {"flat": "xpot, flat", "weights": f"xpot, {again}", "alone": "gap_fit alone"}
            run = study(settings, Path(name))
            for which, facts in run.facts.items():
                wall, cpu = facts.pop("wall"), facts.pop("cpu")
                least = facts.pop("least", wall)
                yield row("split", f"{kind}: {names[which]}", least, run, wall_s=wall, cpu_s=cpu, **facts)
        folder = Path(name) / "fitsnap"
        run = fitsnap(folder, fitsnap_folder(folder, base), clock="cpu")
        yield row("split", "SNAP: FitSNAP's command", run.cpu, run, **steps(run, run.cpu))
        for what, label in (("predict", trial_cost_page.EVALUATION), ("ask", trial_cost_page.ASK)):
            run = together([child(what, replace(base, observations=OBSERVATIONS))], Path(name))
            yield row("split", label, run.cpu, run, **{what: run.cpu})


def growth(quick: bool) -> Iterator[Row]:
    """One trial after the other for one size after the other."""
    n = 25 if quick else 0
    series: list[tuple[str, Sequence[int], Callable[[int], Settings]]] = [
        (
            "structures",
            (25, 50) if quick else (50, 100, 214, 400, 800),
            lambda x: Settings(structures=x),
        ),
        ("twojmax", (4,) if quick else (4, 6, 8, 10), lambda x: Settings(structures=n, twojmax=x)),
        ("folds", (5,) if quick else (1, 2, 5, 10), lambda x: Settings(structures=n, folds=x)),
    ]
    with tempfile.TemporaryDirectory() as name:
        for what, values, make in series:
            for x in values:
                settings = make(x)
                dear = settings.twojmax > 8
                few = 1 if dear or settings.structures > 214 else 2
                settings = replace(settings, trials=few, weights=3 if dear else 10, clock="cpu")
                run = study(settings, Path(name))
                flat, again = run.facts["flat"], run.facts["weights"]
                yield row("growth", f"{what}: xpot, flat", x, run, wall_s=flat["wall"], cpu_s=flat["cpu"])
                least = again["least"]
                yield row("growth", f"{what}: xpot, weights only", x, run, wall_s=least, cpu_s=least)
                # its dense SVD takes ten minutes beyond twojmax 8, and it has no folds
                if what == "folds" or dear or quick:
                    continue
                folder = Path(name) / f"{what}-{x}"
                infile = fitsnap_folder(folder, settings)
                yield row("growth", f"{what}: FitSNAP", x, fitsnap(folder, infile))
                shutil.rmtree(folder)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("two-cores", "pairs", "split", "growth")
    parser.add_argument(
        "--only", nargs="*", choices=parts, default=parts, help="the others stay; none: page anew"
    )
    parser.add_argument("--mpi4py", metavar="DIR", help=f"where mpi4py is installed (default {MPI4PY})")
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds to wait, all in all, while others use the cores"
    )
    parser.add_argument("--quick", action="store_true", help="few structures; nothing is written")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        # the same two cores for all, on machines that have more
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    rows: list[Row] = []
    table = RESULTS / "trial_cost.csv"
    if not given.quick and set(given.only) != set(parts):
        with contextlib.suppress(FileNotFoundError), table.open(newline="", encoding="utf-8") as stream:
            rows = [r for r in csv.DictReader(stream) if r.get("part") in set(parts) - set(given.only)]
    patience = Patience(1 if given.quick else 2, given.patience)
    measurements = {
        "two-cores": lambda: two_cores(given.quick, given.mpi4py, patience),
        "pairs": lambda: iter(()) if given.quick else pairs(patience),
        "split": lambda: split(given.quick),
        "growth": lambda: growth(given.quick),
    }
    for part in given.only:
        rows += measurements[part]()
        rows.sort(key=lambda r: parts.index(r["part"]))
    if not given.quick:
        trial_cost_page.write(rows, table)
    print(trial_cost_page.page(rows, given.quick))


if __name__ == "__main__":
    main()
