"""Measures one thing for trial_cost.py in a process of its own; prints numbers, seconds unless said otherwise.

    python trial_child.py study SETTINGS    trials of a study, as a search runs them
    python trial_child.py predict SETTINGS  pair_style snap on a share of the structures, when told to go
    python trial_child.py ask SETTINGS      one ask of scikit-optimize's Gaussian process, when told to go

SETTINGS is a JSON object with the fields of ``Settings``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read, write
from finished_trials import add_finished
from fresh import cpu_of_tree, run_delay

from xpot_core.data.reuse import sharing
from xpot_core.search.loop import Study
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.study_file.read import study_from_dict
from xpot_core.types.trials import Trial

DATA = Path(os.environ.get("XPOT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "zuo2020"
RATTLE = 0.01
WEIGHTS = {"tune": True, "per": "group"}
SNAP = {
    "quadratic": True,
    "rcutfac": 4.7,
    "rfac0": {"min": 0.9, "max": 1.1},
    "rmin0": "tune",
    "eweight": WEIGHTS,
    "fweight": WEIGHTS,
    "vweight": 1.0e-3,
    "cache": False,
}
GAP = {
    "descriptors": [
        {"distance_2b": {"cutoff": 5.0, "n_sparse": 20}},
        {
            "soap": {
                "cutoff": 5.0,
                "atom_sigma": {"min": 0.4, "max": 0.6},
                "n_max": 8,
                "l_max": 4,
                "n_sparse": 200,
            }
        },
    ],
    "e0": "average",
    "sigma_energy": WEIGHTS,
    "sigma_force": WEIGHTS,
    "cache_gb": 0,
}
REGRESSION = ("eweight", "fweight", "sigma_energy", "sigma_force")


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes
    ----------
    fitter
        ``snap`` or ``gap``.
    twojmax
        Of SNAP.
    structures
        Training structures, spread over the set; beyond its size rattled copies; 0 is the set as it is.
    folds
        Folds of the cross-validation; 1 is one fit, judged on the external test structures.
    executor, optimizer
        As in a study file.
    observations
        Made-up finished trials in the store before the first one.
    warm, trials
        Trials before the measured ones, and these. Without warm ones libraries are loaded by a small fit.
    weights
        Weights-only (sigma-only) trials afterwards, on descriptors that stay.
    alone
        Fits without a design afterwards: for GAP that is ``gap_fit`` and nothing else.
    share
        Which part of how many, for `predict`.
    clock
        ``wall``, or ``cpu``: every duration of a serial study is then in CPU seconds.
    """

    fitter: str = "snap"
    twojmax: int = 6
    structures: int = 0
    folds: int = 1
    executor: Any = "serial"
    optimizer: str = "random"
    observations: int = 0
    warm: int = 0
    trials: int = 1
    weights: int = 0
    alone: int = 0
    share: tuple[int, int] = (0, 1)
    clock: str = "wall"

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def training_file(folder: Path, n: int) -> Path:
    """The structures of the study, written anew unless the set is taken as it is."""
    source = DATA / "Si_train.xyz"
    if n == 0:
        return source
    frames = read(source, ":")
    few = frames[:: max(1, len(frames) // n)][:n]
    copies = []
    for i in range(n - len(few)):
        atoms = frames[i % len(frames)].copy()
        atoms.rattle(RATTLE, seed=i)  # energies and forces stay: what a fit costs does not depend on them
        copies.append(atoms)
    # the reader of extended XYZ keeps them in a calculator, which copies do not have
    write(folder / "train.xyz", few + copies)
    return folder / "train.xyz"


def study_file(settings: Settings, folder: Path) -> dict[str, Any]:
    """The study file as plain data."""
    block = {**SNAP, "twojmax": settings.twojmax} if settings.fitter == "snap" else GAP
    external: Any = str(DATA / "Si_test.xyz")
    return {
        "study": "flat",
        "data": {
            "train": str(training_file(folder, settings.structures)),
            "validation": external if settings.folds == 1 else {"kfold": settings.folds},
        },
        "fitter": {settings.fitter: block},
        "loss": {"energy-force": {"alpha": 0.8}},
        "optimizer": settings.optimizer,
        "executor": settings.executor,
        "start_with": [],
        "budget": {"trials": 100_000},
        "seed": 1,
    }


@dataclass
class Marks:
    """Watches a study: wall and CPU time where the measured trials begin and end, and all trials.

    Attributes
    ----------
    warm, last
        Number of finished trials at the beginning and the end. In between the CPU time is not asked
        for: reading it from all processes would count as the study's own work.
    """

    warm: int
    last: int
    begin: tuple[float, float] | None = None
    end: tuple[float, float] = (0.0, 0.0)
    trials: list[Trial] = field(default_factory=list)

    def study_started(self, *_: Any) -> None: ...

    def message(self, text: str) -> None: ...

    def progress(self, number: int | None, text: str) -> None: ...

    def trial_started(self, trial: Trial) -> None:
        if self.begin is None and not self.warm:
            self.begin = time.perf_counter(), cpu_of_tree()

    def trial_finished(self, trial: Trial) -> None:
        if trial.loss is None:
            raise SystemExit(f"trial {trial.number} failed: {trial.failure}")
        self.trials.append(trial)
        if len(self.trials) == self.warm:
            self.begin = time.perf_counter(), cpu_of_tree()
        if len(self.trials) == self.last:
            self.end = time.perf_counter(), cpu_of_tree()


def observe(study: Study, store: Store, n: int) -> None:
    """Put finished trials into the store, at random points of the space with a smooth loss."""
    rng = np.random.default_rng(1)
    points = rng.random((n, len(study.space)))
    losses = (0.1 + ((points - 0.4) ** 2).sum(axis=1)).tolist()
    add_finished(store, [study.space.from_unit(p.tolist()) for p in points], losses)


def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The function, which notes how long it takes."""

    def call(*arguments: Any) -> Any:
        begin = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            seconds.append(time.perf_counter() - begin)

    return call


def measure(raw: dict[str, Any], folder: Path, observations: int, warm: int, trials: int) -> dict[str, Any]:
    """Run the loop of a study and give seconds per trial, and the values of the last one."""
    study = Study(study_from_dict(raw, str(folder)), folder / "runs")
    study.directory.mkdir(parents=True)
    store = Store(study.directory / STORE_NAME)
    if observations:
        observe(study, store, observations)
    store.acquire()
    asks: list[float] = []
    study.next_trials.ask = timed(study.next_trials.ask, asks)  # type: ignore[method-assign]
    marks = Marks(warm, warm + trials)
    # the loop alone: a study would refit its winner at the end, which is no trial
    study._loop(store, observations + warm + trials, None, marks)
    store.release()
    store.close()
    assert marks.begin is not None
    own = marks.trials[warm:]
    mean = {
        key: float(np.mean([t.seconds.get(key, 0.0) for t in own]))
        for key in ("descriptors", "solve", "predict", "total")
    }
    wall, cpu = ((end - begin) / trials for end, begin in zip(marks.end, marks.begin, strict=True))
    ask = sum(asks[-trials:]) / trials if warm else 0.0
    inside = mean["descriptors"] + mean["solve"] + mean["predict"]
    return {
        "wall": wall,
        "cpu": cpu,
        **mean,
        "least": min(t.seconds["total"] for t in own),
        "ask": ask,
        # one after the other: what is neither asking nor computing is store, dispatch and bookkeeping
        "overhead": wall - ask - inside,
        "values": dict(marks.trials[-1].values),
    }


def cpu_clock() -> float:
    """CPU seconds of this process and its children that ended."""
    return time.process_time() + sum(os.times()[2:4])


def run_study(settings: Settings) -> None:
    if settings.clock == "cpu":
        # everything that times itself, in the core and in the plugins, does so by this function
        time.perf_counter = cpu_clock
    with tempfile.TemporaryDirectory() as name, sharing():
        folder = Path(name)
        if not settings.warm:
            small = Settings(fitter=settings.fitter, twojmax=2, structures=12)
            (folder / "small").mkdir()
            measure(study_file(small, folder / "small"), folder / "small", 0, 0, 1)
        raw = study_file(settings, folder)
        found = {"flat": measure(raw, folder, settings.observations, settings.warm, settings.trials)}
        study = Study(study_from_dict(raw, str(folder)), folder / "other")
        values = found["flat"].pop("values")
        fixed = study.space.options(values)
        if settings.weights:
            searched = {k: v for k, v in raw["fitter"][settings.fitter].items() if k in REGRESSION}
            only = {**raw, "study": "weights", "fitter": {settings.fitter: {**fixed, **searched}}}
            # the first one finds the descriptors, which the flat trial left, or makes them
            found["weights"] = measure(only, folder, settings.observations, 2, settings.weights)
            del found["weights"]["values"]
        for i in range(settings.alone):
            begin, cpu = time.perf_counter(), cpu_of_tree()
            study.runner.fit(study.runner.options(values), folder / f"alone-{i}", seed=1)
            found["alone"] = {"wall": time.perf_counter() - begin, "cpu": cpu_of_tree() - cpu}
    print(json.dumps(found))


def when_told(work: Callable[[], object]) -> None:
    """Say that all is loaded, wait, work, tell what it took; see `fresh.together`."""
    print("ready", flush=True)
    sys.stdin.readline()
    begin, delay = time.process_time(), run_delay()
    work()
    print(time.process_time() - begin, run_delay() - delay, flush=True)


def run_predict(settings: Settings) -> None:
    from xpot_lammps_session.predictor import LammpsPredictor
    from xpot_snap.fitter import SnapFitter

    from xpot_core.api import FitRequest

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = Study(study_from_dict(study_file(settings, folder), name), folder)
        data = study.dataset.data
        options = study.runner.options(study.space.defaults())
        # what a potential costs does not depend on how well it was fitted
        few = type(data)(data.frames[:20], data.folds[:20], data.elements, data.groups)
        potential = SnapFitter().fit(FitRequest(options, few, folder))
        predictor = LammpsPredictor()
        predictor.predict(potential, few.frames[:2], directory=folder)
        part, parts = settings.share
        when_told(lambda: predictor.predict(potential, data.frames[part::parts], directory=folder))


def run_ask(settings: Settings) -> None:
    from skopt import Optimizer

    points = np.random.default_rng(1).random((settings.observations, 10))
    losses = 0.1 + ((points - 0.4) ** 2).sum(axis=1)

    def ask(n: int) -> None:
        optimizer = Optimizer([(0.0, 1.0)] * 10, random_state=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer.tell(points[:n].tolist(), losses[:n].tolist())
            optimizer.ask()

    ask(12)  # what is loaded at the first ask is not its cost
    when_told(lambda: ask(settings.observations))


if __name__ == "__main__":
    {"study": run_study, "predict": run_predict, "ask": run_ask}[sys.argv[1]](
        Settings(**json.loads(sys.argv[2]))
    )
