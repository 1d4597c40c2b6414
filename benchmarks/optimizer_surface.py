"""Loss surfaces of real fits, recorded, and smooth stand-ins for them that cost nothing to evaluate.

    python benchmarks/optimizer_surface.py --record mo-10 [--designs 60]   # real fits
    python benchmarks/optimizer_surface.py --fit mo-10                     # fits the stand-in to the record

Recorded: the paper's loss (alpha 0.8) of quadratic SNAP by 3-fold cross-validation, as a function of descriptor
options and of weights; `CASES` lists which. Descriptors are computed once for each setting, then the weights are
varied on the staged design. Half of the settings cover the space evenly, the others crowd around the best points, so
that the stand-in is right where optimizers go. The DFT data of Zuo et al. (J. Phys. Chem. A 124, 731 (2020)) are
looked for in ``../shared/data``, those of ``si-2`` and ``si-16`` are the silicon example of this project.

The stand-in is an average of small neural networks: smooth like the surface itself, and neither made of
trees nor of a kernel, so it does not take sides between the optimizers.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.api import FitRequest, Float, FloatArray, Space, TrainingData
from xpot_core.data.dataset import load_dataset
from xpot_core.plugins.interfaces import TableLoss
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.study_file.read import study_from_dict

HERE = Path(__file__).parent
ZUO = Path(os.environ.get("XPOT_DATA", "../shared/data")).resolve() / "zuo2020"
EXAMPLE = HERE / "../examples/silicon"
GROUPS = ("AIMD-NVT", "Elastic", "Surface", "Vacancy")
EXAMPLE_GROUPS = ("dimer", "liquid", "phases", "rattled", "strain", "surface", "vacancy")
RCUTFAC = Float("rcutfac", 3.0, 6.5, default=4.0)
RFAC0 = Float("rfac0", 0.6, 1.6, default=0.994)
RMIN0 = Float("rmin0", 0.0, 0.1, default=0.0)
ALPHA = 0.8
HIDDEN = (48, 48)
MEMBERS = 5


def _weights(groups: tuple[str, ...]) -> tuple[Float, ...]:
    energy = (Float(f"eweight.{g}", 10.0, 1e5, log=True, default=100.0) for g in groups)
    return (*energy, *(Float(f"fweight.{g}", 0.1, 100.0, log=True, default=1.0) for g in groups))


@dataclass(frozen=True)
class Case:
    """A study whose losses are recorded.

    Attributes
    ----------
    data
        Training structures.
    space
        Hyperparameters, those of the descriptors first.
    outer
        How many of them change the descriptors.
    every
        Only every n-th structure is used.
    options
        Fixed options of the fitter.
    ignored
        Groups that the loss does not count.
    weights_per_design
        Points for each setting of the descriptors.
    """

    data: Path
    space: Space
    outer: int
    every: int = 1
    options: dict[str, Any] = field(default_factory=lambda: {"quadratic": True, "twojmax": 6})
    ignored: tuple[str, ...] = ()
    weights_per_design: int = 40


_OURS: dict[str, Any] = {
    "data": EXAMPLE / "silicon_train.xyz",
    "options": {"quadratic": True, "twojmax": 4, "reference": "zbl", "zbl_inner": 1.2, "zbl_outer": 2.0},
    "ignored": ("dimer", "isolated_atom", "phases"),
}
_COMMON = (
    Float("eweight", 10.0, 1e5, log=True, default=100.0),
    Float("fweight", 0.1, 100.0, log=True, default=1.0),
)
CASES = {
    "si-2": Case(space=Space((RCUTFAC, RFAC0)), outer=2, weights_per_design=1, **_OURS),
    "cu-5": Case(
        ZUO / "Cu_train.xyz",
        Space((RCUTFAC, RFAC0, RMIN0, *_COMMON)),
        3,
        every=6,
        options={"quadratic": True, "twojmax": 4},
        weights_per_design=12,
    ),
    "mo-10": Case(ZUO / "Mo_train.xyz", Space((RCUTFAC, RFAC0, *_weights(GROUPS))), 2, every=3),
    "cu-10": Case(ZUO / "Cu_train.xyz", Space((RCUTFAC, RFAC0, *_weights(GROUPS))), 2, every=6),
    "si-11": Case(ZUO / "Si_train.xyz", Space((RCUTFAC, RFAC0, RMIN0, *_weights(GROUPS))), 3),
    "si-16": Case(space=Space((RCUTFAC, RFAC0, *_weights(EXAMPLE_GROUPS))), outer=2, **_OURS),
}


def _record(case: str) -> Path:
    return HERE / "surfaces" / f"{case}.npz"


def record(name: str, designs: int) -> None:
    """Run real fits and save (point in the unit cube, loss); goes on with a record that exists."""
    case = CASES[name]
    study = {
        "study": "surface",
        "data": {
            "train": str(case.data),
            "validation": {"kfold": 3, "seed": 1},
            "keys": {"energy": "REF_energy", "forces": "REF_forces", "virial": "REF_virial"},
            "group_by": "config_type",
        },
        "fitter": {"snap": case.options},
        "optimizer": {"random": {}},
        "budget": {"trials": 1},
    }
    frames = load_dataset(study_from_dict(study, HERE)).data
    if case.every > 1:
        frames = replace(frames, frames=frames.frames[:: case.every], folds=frames.folds[:: case.every])
    registry = load_registry()
    weights = {"alpha": ALPHA, "group_weights": dict.fromkeys(case.ignored, 0)}
    loss = registry.create("loss", "energy-force", weights).instance
    points: list[FloatArray] = []
    losses: list[float] = []
    done = 0
    if _record(name).exists():
        with np.load(_record(name)) as saved:
            points, losses = list(saved["x"].astype(float)), saved["y"].tolist()
        done = len(np.unique(np.array(points)[:, : case.outer], axis=0))
    rng = np.random.default_rng(2026 + done)
    start = time.perf_counter()
    for number in range(done, designs):
        refine = number >= designs // 2
        best = [points[i] for i in np.argsort(losses)[:40]] if refine else []
        outer = rng.random(case.outer)
        if refine:
            centre = best[int(rng.integers(len(best)))]
            outer = np.clip(centre[: case.outer] + 0.1 * rng.standard_normal(case.outer), 0.0, 1.0)
        for point, value in _one_design(case, registry, loss, frames, outer, best, rng):
            points.append(point)
            losses.append(value)
        if number % 5 == 4 or number == designs - 1:
            np.savez_compressed(_record(name), x=np.array(points, np.float32), y=np.array(losses, np.float32))
            count = f"{number + 1}/{designs} designs, {len(losses)} points"
            print(f"{count}, best {min(losses):.4f}, {time.perf_counter() - start:.0f} s", flush=True)


def _one_design(
    case: Case,
    registry: Registry,
    loss: TableLoss,
    frames: TrainingData,
    outer: FloatArray,
    best: list[FloatArray],
    rng: np.random.Generator,
) -> Iterator[tuple[FloatArray, float]]:
    """Losses of many weights on the descriptors of one setting."""
    model = registry.provider("fitter", "snap").options
    design = None
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(case.weights_per_design):
            inner = rng.random(len(case.space) - case.outer)
            if best and rng.random() < 0.7:
                centre = best[int(rng.integers(len(best)))][case.outer :]
                inner = np.clip(centre + 0.15 * rng.standard_normal(len(inner)), 0.0, 1.0)
            point = np.concatenate([outer, inner])
            validated = model.model_validate({**case.options, **_nested(case.space, point, frames.groups)})
            if design is None:
                fitter = registry.create_fitter("snap", validated).instance
                design = fitter.prepare(FitRequest(validated, frames, Path(folder)))
            tables = [design.errors(validated, leave_out=k).validation for k in frames.fold_numbers]
            value = loss.from_errors(sum(tables[1:], tables[0])).value
            if np.isfinite(value):
                yield point, float(value)


def _nested(space: Space, point: FloatArray, groups: tuple[str, ...]) -> dict[str, Any]:
    """Options of a point; groups without a hyperparameter take the default weight."""
    options: dict[str, Any] = {}
    for parameter in space:
        name, _, group = parameter.name.partition(".")
        value = parameter.from_unit(float(point[space.names.index(parameter.name)]))
        if group:
            options.setdefault(name, dict.fromkeys(groups, parameter.default))[group] = value
        else:
            options[name] = value
    return options


@dataclass(frozen=True, eq=False)
class StandIn:
    """The average of small tanh networks for the logarithm of the loss."""

    space: Space
    members: tuple[tuple[tuple[FloatArray, FloatArray], ...], ...]
    mean: float
    scale: float

    @classmethod
    def load(cls, case: str = "si-11") -> StandIn:
        """Read the fitted networks."""
        with np.load(HERE / "surfaces" / f"{case}-model.npz") as saved:
            members = tuple(
                tuple(
                    (saved[f"w{m}_{k}"].astype(float), saved[f"b{m}_{k}"].astype(float))
                    for k in range(len(HIDDEN) + 1)
                )
                for m in range(MEMBERS)
            )
            return cls(CASES[case].space, members, float(saved["mean"]), float(saved["scale"]))

    def __call__(self, points: FloatArray) -> FloatArray:
        """Losses of rows of the unit cube."""
        x = 2.0 * np.atleast_2d(points) - 1.0
        total = np.zeros(len(x))
        for layers in self.members:
            h = x
            for w, b in layers[:-1]:
                h = np.tanh(h @ w + b)
            w, b = layers[-1]
            total += (h @ w + b)[:, 0]
        result: FloatArray = np.exp(self.mean + self.scale * total / len(self.members))
        return result


def fit(name: str) -> None:
    """Fit the stand-in to the record; print how well it predicts designs that it has not seen."""
    from sklearn.neural_network import MLPRegressor

    with np.load(_record(name)) as saved:
        x, y = saved["x"].astype(float), np.log(saved["y"].astype(float))
    mean, scale = float(y.mean()), float(y.std())
    target, inputs = (y - mean) / scale, 2.0 * x - 1.0
    # Points of one design share its settings: they are held out together.
    _, design = np.unique(x[:, : CASES[name].outer], axis=0, return_inverse=True)
    # Adam follows many points, L-BFGS gets the most out of few.
    solver = "adam" if len(y) > 1000 else "lbfgs"

    def network(seed: int) -> MLPRegressor:
        return MLPRegressor(
            hidden_layer_sizes=HIDDEN,
            activation="tanh",
            solver=solver,
            alpha=0.1,
            max_iter=400,
            random_state=seed,
            tol=1e-5,
            n_iter_no_change=25,
        )

    warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
    warnings.filterwarnings("ignore", message="lbfgs failed to converge")
    held_out = design % 5 == 0
    trial = network(0).fit(inputs[~held_out], target[~held_out])
    predicted = mean + scale * trial.predict(inputs[held_out])
    truth = y[held_out]
    good = truth <= np.quantile(y, 0.25)
    for label, rows in (("all held-out points", slice(None)), ("best quarter of them", good)):
        error = np.sqrt(np.mean((predicted - truth)[rows] ** 2))
        rank = np.corrcoef(np.argsort(np.argsort(predicted[rows])), np.argsort(np.argsort(truth[rows])))[0, 1]
        print(f"{name}, {label}: RMSE of ln(loss) {error:.3f}, rank correlation {rank:.3f}")
    saved_arrays: dict[str, FloatArray] = {"mean": np.array(mean), "scale": np.array(scale)}
    for m in range(MEMBERS):
        model = network(m).fit(inputs, target)
        for k, (w, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
            saved_arrays[f"w{m}_{k}"], saved_arrays[f"b{m}_{k}"] = w.astype(np.float32), b.astype(np.float32)
    np.savez_compressed(HERE / "surfaces" / f"{name}-model.npz", allow_pickle=False, **saved_arrays)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", choices=CASES, nargs="*", default=(), help="run the fits of these")
    parser.add_argument("--designs", type=int, default=60)
    parser.add_argument("--fit", choices=CASES, nargs="*", default=(), help="fit stand-ins to the records")
    arguments = parser.parse_args()
    for name in arguments.record:
        record(name, arguments.designs)
    for name in arguments.fit:
        fit(name)


if __name__ == "__main__":
    main()
