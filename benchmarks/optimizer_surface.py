"""A real qSNAP loss surface, recorded, and a smooth stand-in for it that costs nothing to evaluate.

    python benchmarks/optimizer_surface.py --data DIR/Si_train.xyz     # records (10 CPU s a design)
    python benchmarks/optimizer_surface.py --fit                       # fits the stand-in to the record

Recorded: the paper's loss (alpha 0.8) of quadratic SNAP with twojmax 6 by 3-fold cross-validation on
structures of the silicon training set of Zuo et al. (J. Phys. Chem. A 124, 731 (2020)), as a function of
rcutfac, rfac0, rmin0 and the energy and force weights of its four groups: 11 hyperparameters. Descriptors
are computed once for each setting of the first three, then the weights are varied on the staged design.
Half of the settings cover the space evenly, the others crowd around the best points, so that the stand-in
is right where optimizers go.

The stand-in is an average of small neural networks: smooth like the surface itself, and neither made of
trees nor of a kernel, so it does not take sides between the optimizers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xpot_core.api import FitRequest, Float, FloatArray, Space, TrainingData
from xpot_core.data.dataset import load_dataset
from xpot_core.plugins.interfaces import TableLoss
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.study_file.read import study_from_dict

HERE = Path(__file__).parent
RECORD = HERE / "optimizer_surface.npz"
STAND_IN = HERE / "optimizer_surface_model.npz"
GROUPS = ("AIMD-NVT", "Elastic", "Surface", "Vacancy")
SPACE = Space(
    (
        Float("rcutfac", 3.0, 6.5),
        Float("rfac0", 0.6, 1.6),
        Float("rmin0", 0.0, 0.1),
        *(Float(f"eweight.{g}", 10.0, 1e5, log=True) for g in GROUPS),
        *(Float(f"fweight.{g}", 0.1, 100.0, log=True) for g in GROUPS),
    )
)
OUTER = 3
ALPHA = 0.8
WEIGHTS_PER_DESIGN = 40
HIDDEN = (48, 48)
MEMBERS = 5


def record(data: Path, designs: int, every: int) -> None:
    """Run real fits and save (point in the unit cube, loss); goes on with a record that exists."""
    study = {
        "study": "surface",
        "data": {
            "train": str(data),
            "validation": {"kfold": 3, "seed": 1},
            "keys": {"energy": "REF_energy", "forces": "REF_forces", "virial": "REF_virial"},
            "group_by": "config_type",
        },
        "fitter": {"snap": {"quadratic": True, "twojmax": 6}},
        "loss": {"energy-force": {"alpha": ALPHA}},
        "optimizer": {"random": {}},
        "budget": {"trials": 1},
    }
    frames = load_dataset(study_from_dict(study, HERE)).data
    if every > 1:
        frames = replace(frames, frames=frames.frames[::every], folds=frames.folds[::every])
    assert frames.groups == GROUPS, frames.groups
    registry = load_registry()
    loss = registry.create("loss", "energy-force", {"alpha": ALPHA}).instance
    rng = np.random.default_rng(2026)
    points: list[FloatArray] = []
    losses: list[float] = []
    done = 0
    if RECORD.exists():
        with np.load(RECORD) as saved:
            points, losses = list(saved["x"].astype(float)), saved["y"].tolist()
        done = len(np.unique(np.array(points)[:, :OUTER], axis=0))
        rng = np.random.default_rng(2026 + done)
    start = time.perf_counter()
    for number in range(done, designs):
        refine = number >= designs // 2
        best = [points[i] for i in np.argsort(losses)[:40]] if refine else []
        outer = rng.random(OUTER)
        if refine:
            centre = best[int(rng.integers(len(best)))]
            outer = np.clip(centre[:OUTER] + 0.1 * rng.standard_normal(OUTER), 0.0, 1.0)
        for point, value in _one_design(registry, loss, frames, outer, best, rng):
            points.append(point)
            losses.append(value)
        if number % 5 == 4 or number == designs - 1:
            np.savez_compressed(RECORD, x=np.array(points, np.float32), y=np.array(losses, np.float32))
            count = f"{number + 1}/{designs} designs, {len(losses)} points"
            print(f"{count}, best {min(losses):.4f}, {time.perf_counter() - start:.0f} s", flush=True)


def _one_design(
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
        for _ in range(WEIGHTS_PER_DESIGN):
            inner = rng.random(len(SPACE) - OUTER)
            if best and rng.random() < 0.7:
                centre = best[int(rng.integers(len(best)))][OUTER:]
                inner = np.clip(centre + 0.15 * rng.standard_normal(len(inner)), 0.0, 1.0)
            point = np.concatenate([outer, inner])
            values = SPACE.from_unit(point.tolist())
            options = {k: v for k, v in values.items() if "." not in k}
            for kind in ("eweight", "fweight"):
                options[kind] = {g: values[f"{kind}.{g}"] for g in GROUPS}
            validated = model.model_validate({"quadratic": True, "twojmax": 6, **options})
            if design is None:
                fitter = registry.create_fitter("snap", validated).instance
                design = fitter.prepare(FitRequest(validated, frames, Path(folder)))
            tables = [design.errors(validated, leave_out=k).validation for k in frames.fold_numbers]
            value = loss.from_errors(sum(tables[1:], tables[0])).value
            if np.isfinite(value):
                yield point, float(value)


@dataclass(frozen=True, eq=False)
class StandIn:
    """The average of small tanh networks for the logarithm of the loss."""

    members: tuple[tuple[tuple[FloatArray, FloatArray], ...], ...]
    mean: float
    scale: float

    @classmethod
    def load(cls) -> StandIn:
        """Read the fitted networks."""
        with np.load(STAND_IN) as saved:
            members = tuple(
                tuple((saved[f"w{m}_{k}"], saved[f"b{m}_{k}"]) for k in range(len(HIDDEN) + 1))
                for m in range(MEMBERS)
            )
            return cls(members, float(saved["mean"]), float(saved["scale"]))

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


def fit() -> None:
    """Fit the stand-in; print how well it predicts designs that it has not seen."""
    from sklearn.neural_network import MLPRegressor

    with np.load(RECORD) as saved:
        x, y = saved["x"].astype(float), np.log(saved["y"].astype(float))
    mean, scale = float(y.mean()), float(y.std())
    target, inputs = (y - mean) / scale, 2.0 * x - 1.0
    # Points of one design share its settings: they are held out together.
    _, design = np.unique(x[:, :OUTER], axis=0, return_inverse=True)

    def network(seed: int) -> MLPRegressor:
        return MLPRegressor(
            hidden_layer_sizes=HIDDEN,
            activation="tanh",
            alpha=0.1,
            max_iter=400,
            random_state=seed,
            tol=1e-5,
            n_iter_no_change=25,
        )

    warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
    held_out = design % 5 == 0
    trial = network(0).fit(inputs[~held_out], target[~held_out])
    predicted = mean + scale * trial.predict(inputs[held_out])
    truth = y[held_out]
    good = truth <= np.quantile(y, 0.25)
    for label, rows in (("all held-out points", slice(None)), ("best quarter of them", good)):
        error = np.sqrt(np.mean((predicted - truth)[rows] ** 2))
        rank = np.corrcoef(np.argsort(np.argsort(predicted[rows])), np.argsort(np.argsort(truth[rows])))[0, 1]
        print(f"{label}: RMSE of ln(loss) {error:.3f}, rank correlation {rank:.3f}")
    saved_arrays: dict[str, FloatArray] = {"mean": np.array(mean), "scale": np.array(scale)}
    for m in range(MEMBERS):
        model = network(m).fit(inputs, target)
        for k, (w, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
            saved_arrays[f"w{m}_{k}"], saved_arrays[f"b{m}_{k}"] = w, b
    np.savez_compressed(STAND_IN, allow_pickle=False, **saved_arrays)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="Si_train.xyz of Zuo et al.: record anew")
    parser.add_argument("--designs", type=int, default=40)
    parser.add_argument("--every", type=int, default=1, help="use every n-th structure only")
    parser.add_argument("--fit", action="store_true", help="fit the stand-in to the record")
    arguments = parser.parse_args()
    if arguments.data:
        record(arguments.data, arguments.designs, arguments.every)
    if arguments.fit:
        fit()


if __name__ == "__main__":
    main()
