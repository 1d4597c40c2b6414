"""Made-up studies, written through the project's own store and files."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.results.read import StudyResults
from xpot_core.space.as_json import space_to_json
from xpot_core.space.parameters import Choice, Float, Int, Space
from xpot_core.store import row_checksums
from xpot_core.store.store import Store
from xpot_core.trial.failure import write_predictions
from xpot_core.types.error_sums import ErrorTable, error_table
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.learning_curve import CurvePoint
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame
from xpot_core.types.trials import Failure, TrialResult, TrialState

GROUPS = ("bulk", "liquid", "surface <&> $x_1$")
SPACE = Space(
    (
        Float("cutoff", 2.5, 8.0),
        Float("widths.0", 0.1, 1.5),
        Int("n_basis", 2, 12),
        Choice("smooth", (True, False)),
        *(Float(f"energy_weight.{g}", 0.1, 1000.0, log=True) for g in GROUPS),
        Float("ridge", 1e-12, 1e-2, log=True),
    )
)
NASTY = "<script>alert('x')</script> [bold]$\\frac{1}{0}$ & \"quoted\""


def make_frames(count: int, seed: int) -> tuple[Frame, ...]:
    """Random cells of silicon and germanium with reference values."""
    from ase import Atoms

    rng = np.random.default_rng(seed)
    frames = []
    for i in range(count):
        n = int(rng.integers(2, 7))
        symbols = rng.choice(["Si", "Ge"], n).tolist()
        atoms = Atoms(symbols, positions=rng.uniform(0, 5, (n, 3)), cell=np.eye(3) * 5.5, pbc=True)
        energy = -105.0 * symbols.count("Si") - 107.0 * symbols.count("Ge") + rng.normal(0, 0.3) * n
        virial = rng.normal(0, 1, (3, 3))
        frames.append(
            Frame(atoms, energy, rng.normal(0, 1, (n, 3)), virial + virial.T, GROUPS[i % 3], f"f#{i}")
        )
    return tuple(frames)


def predict(frames: tuple[Frame, ...], noise: float, seed: int) -> Predictions:
    """Reference values with noise."""
    rng = np.random.default_rng(seed)
    return Predictions(
        np.array([(f.energy or 0.0) + rng.normal(0, noise) * f.n_atoms for f in frames]),
        [f.forces + rng.normal(0, 10 * noise, f.forces.shape) for f in frames if f.forces is not None],
        np.array([f.virial + rng.normal(0, 5 * noise, (3, 3)) for f in frames]),
    )


@dataclass
class StudyMaker:
    """Writes studies below a folder."""

    runs: Path

    def __call__(
        self,
        name: str = "made-up",
        *,
        trials: int = 30,
        running: int = 0,
        fail_every: int = 0,
        finish: bool = True,
        noise: float = 0.01,
        sets: dict[str, tuple[Frame, ...]] | None = None,
        study: dict[str, Any] | None = None,
        groups_of_failures: int = 1,
        space: Space = SPACE,
        seed: int = 0,
        curves: bool = False,
    ) -> StudyResults:
        directory = self.runs / name
        directory.mkdir(parents=True)
        store = Store(directory / "study.sqlite")
        raw = {
            "study": name,
            "data": {"train": "train.xyz", "validation": {"fraction": 0.2}, "test": "test.xyz"},
            "fitter": {"numpy-pair": {"cutoff": "tune"}},
            "optimizer": {"sobol": {}},
            "budget": {"trials": max(trials, 1)},
            **(study or {}),
        }
        if sets is None:
            sets = {"train": make_frames(24, 1), "validation": make_frames(9, 2), "test": make_frames(12, 3)}
        from xpot_core.data.dataset import group_table

        facts = {
            "study": raw,
            "base": str(self.runs),
            **space_to_json(space),
            "versions": {"python": "3.11.7", "xpot-core": "0.1.0"},
            "data": {n: group_table(frames) for n, frames in sets.items()},
            "warnings": [f"2 identical structures {NASTY}"],
            "identity": {"data": "abc123"},
        }
        for key, value in facts.items():
            store.set(key, value)
        # One transaction instead of thousands: what is tested is not how safe the store is.
        store._db.execute("PRAGMA synchronous=OFF")
        rng = np.random.default_rng(seed)
        points = [space.from_unit(rng.random(len(space))) for _ in range(trials + running)]
        stored = store.add(points, "sobol")
        for trial in stored:
            store.start(trial.number)
            if trial.number < trials:
                fails = fail_every and trial.number % fail_every == fail_every - 1
                make = self._failed if fails else self._complete
                made = make(trial.number, points[trial.number], groups_of_failures, rng, space)
                if curves and made.loss is not None:
                    steps = [CurvePoint(s, {}, made.loss * (1 + 3 / s)) for s in range(1, 21)]
                    made = replace(made, curve=tuple(steps))
                store.finish(made)
        best = min(
            (t for t in store.trials() if t.loss is not None), key=lambda t: t.loss or 0.0, default=None
        )
        if finish and best is not None:
            self._finish(store, directory, best.number, sets, noise, seed)
        store.close()
        self._spread_times(directory / "study.sqlite")
        return StudyResults.open(directory)

    @staticmethod
    def _complete(
        number: int, values: dict[str, Any], kinds: int, rng: np.random.Generator, space: Space
    ) -> TrialResult:
        unit = space.to_unit(values)
        distance = float(((unit - 0.4) ** 2 * np.linspace(3, 0.1, len(space))).sum())
        loss = 0.05 + distance * math.exp(rng.normal(0, 0.1))
        table = ErrorTable()
        from xpot_core.types.error_sums import ErrorSums

        for group in GROUPS:
            table.add("energy", group, ErrorSums.of(np.full(5, 0.01 * loss)))
            table.add("force", group, ErrorSums.of(np.full(90, loss * math.exp(rng.normal(0, 0.3)))))
        seconds = {"descriptors": 1.0, "solve": 0.5, "predict": 0.1, "total": 1.8}
        return TrialResult(
            number,
            TrialState.COMPLETE,
            loss=loss,
            objectives=(loss,),
            parts={"energy": loss / 2},
            errors={"train": table.to_json(), "validation": table.to_json()},
            seconds=seconds,
            worker=f"host:{number % 3}",
        )

    @staticmethod
    def _failed(
        number: int, values: dict[str, Any], kinds: int, rng: np.random.Generator, space: Space
    ) -> TrialResult:
        state = (TrialState.FAILED, TrialState.INFEASIBLE, TrialState.TIMEOUT)[number % 3]
        message = f"needs {number}.5 GB {'x' * (number % kinds)} {NASTY}"
        failure = Failure(
            "fit", "fitter numpy-pair", message, f"raise limits.memory {NASTY}", f"log {NASTY}\nend"
        )
        return TrialResult(
            number, state, seconds={"total": 0.3}, failure=failure, worker=f"host:{number % 3}"
        )

    @staticmethod
    def _finish(
        store: Store,
        directory: Path,
        number: int,
        sets: dict[str, tuple[Frame, ...]],
        noise: float,
        seed: int,
    ) -> None:
        best = directory / "best"
        best.mkdir()
        (best / "pair.json").write_text("{}")
        errors = {}
        for i, (name, frames) in enumerate(sets.items()):
            predictions = predict(frames, noise, seed + i)
            errors[name] = error_table(predictions, frames).to_json()
            write_predictions(best / f"predictions-{name}.xyz", frames, predictions)
        potential = FittedPotential.from_files(
            "numpy-pair", best, {"coefficients": "pair.json"}, ("Ge", "Si")
        )
        store.set(
            "final",
            {
                "trial": number,
                "potential": potential.to_json(),
                "errors": errors,
                "seconds": {"solve": 0.2},
                "validators": [
                    {
                        "validator": "dimer",
                        "passed": True,
                        "summary": f"repulsive {NASTY}",
                        "values": {"r": 1.2},
                        "tables": {"Si-Si": {"r (Å)": [1.0, 2.0, 3.0], "E (eV)": [5.0, -1.0, 0.0]}},
                    },
                    {"validator": "lammps-md", "passed": None, "summary": "did not start", "values": {}},
                ],
            },
        )

    @staticmethod
    def _spread_times(path: Path) -> None:
        """Give the trials the times of three workers; the store takes them from the clock."""
        with sqlite3.connect(path) as db:
            db.execute("UPDATE trials SET started = 1.7e9 + (number / 3) * 2.0")
            db.execute("UPDATE trials SET finished = started + 1.8 WHERE finished IS NOT NULL")
            row_checksums.prepare(db)
            row_checksums.seal(db, "trials")
        db.close()
