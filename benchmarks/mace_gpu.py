"""What an epoch, a prediction and a step of MD of MACE take on a GPU, and on the CPU beside it.

    python benchmarks/mace_gpu.py [--channels 16 64 128] [--epochs 3]

Needs a machine with CUDA, a torch for it and `xpot-mace[mace]`; without a GPU it says so and ends with status 0.
Data: the silicon set of ``examples/silicon``. Also tried: that a model gives the same forces on both, and that a
training that was stopped goes on on the GPU. Written to ``results/mace_gpu.md``.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read

from xpot_core.api import FitRequest, FittedPotential, FloatArray, Frame, PrunedError, TrainingData

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


def silicon() -> TrainingData:
    """Structures of the example with at least eight atoms."""
    frames = []
    for i, atoms in enumerate(read(ROOT / "examples" / "silicon" / "silicon_train.xyz", ":")):
        if len(atoms) < 8:
            continue
        energy, forces, group = (
            atoms.info["REF_energy"],
            atoms.arrays["REF_forces"],
            atoms.info["config_type"],
        )
        atoms.info, atoms.calc = {}, None
        frames.append(Frame(atoms, energy, forces, None, group, f"Si#{i}", f"Si{i}"))
    groups = tuple(sorted({f.group for f in frames}))
    return TrainingData(tuple(frames), (-1,) * len(frames), ("Si",), groups)


def trained(
    data: TrainingData, folder: Path, device: str, channels: int, epochs: int, **rest: Any
) -> tuple[FittedPotential | None, list[float]]:
    """A training and the seconds of each of its epochs."""
    from xpot_mace.fitter import MaceFitter
    from xpot_mace.options import MaceOptions

    folder.mkdir()
    stop = rest.pop("stop", 0)
    times = [time.perf_counter()]

    def report(step: int, errors: Any) -> None:
        times.append(time.perf_counter())
        if step == stop:
            raise PrunedError("as asked")

    options = MaceOptions(device=device, num_channels=channels, max_L=1, max_num_epochs=epochs, E0s="average")
    request = FitRequest(options, data, folder, held_out=data.frames[::10], report=report, **rest)
    try:
        potential = MaceFitter().fit(request)
    except PrunedError:
        potential = None
    return potential, list(np.diff(times))


def said(potential: FittedPotential, data: TrainingData, device: str) -> tuple[FloatArray, float, float]:
    """Forces, seconds of all predictions, seconds of one step of MD of the largest structure."""
    from xpot_mace.potential.evaluator import ModelEvaluator

    evaluator = ModelEvaluator(potential.path("model"), device)
    structures = [frame.atoms for frame in data.frames]
    list(evaluator.evaluate(structures))  # compiles
    start = time.perf_counter()
    forces = np.concatenate([own for _, own, _ in evaluator.evaluate(structures)])
    together = time.perf_counter() - start
    largest = max(structures, key=len)
    start = time.perf_counter()
    for _ in range(10):
        list(evaluator.evaluate([largest]))
    return forces, together, (time.perf_counter() - start) / 10


def goes_on(data: TrainingData, folder: Path, channels: int) -> float:
    """How far a training that was stopped and went on is from one that was not, eV/Å; sums have no order on a GPU."""
    whole, _ = trained(data, folder / "whole", "cuda", channels, 2)
    kept = folder / "kept"
    trained(data, folder / "first", "cuda", channels, 1, checkpoint=kept)
    rest, _ = trained(data, folder / "rest", "cuda", channels, 2, resume_from=kept)
    assert whole is not None
    assert rest is not None
    return float(np.abs(said(whole, data, "cuda")[0] - said(rest, data, "cuda")[0]).max())


def measure(channels: list[int], epochs: int) -> list[str]:
    """The page's lines."""
    import torch

    data = silicon()
    atoms = sum(frame.n_atoms for frame in data.frames)
    lines = [
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}; {platform.processor() or platform.machine()}; "
        f"{date.today()}.",
        f"{len(data.frames)} structures of silicon, {atoms} atoms; float64, max_L 1, correlation 2.",
        "",
        "| channels | device | epoch, s | all predictions, s | a step of MD, ms |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in channels:
            found = {}
            for device in ("cuda", "cpu"):
                potential, times = trained(data, folder / f"{device}-{count}", device, count, epochs)
                assert potential is not None
                found[device] = said(potential, data, device)
                epoch = min(times[1:] or times)
                lines.append(
                    f"| {count} | {device} | {epoch:.2f} | {found[device][1]:.2f} | {1e3 * found[device][2]:.1f} |"
                )
        assert potential is not None
        again = said(potential, data, "cuda")[0]
        off = float(np.abs(again - found["cpu"][0]).max())
        lines += ["", f"The same model on both devices: forces differ by {off:.1e} eV/Å."]
        off = goes_on(data, folder, channels[0])
        lines.append(
            f"A training that went on from its first epoch, and an uninterrupted one: {off:.1e} eV/Å."
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, nargs="+", default=[16, 64, 128])
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    if missing := [name for name in ("torch", "mace") if find_spec(name) is None]:
        print(f"{' and '.join(missing)} not installed: pip install 'xpot-mace[mace]'")
        return
    import torch

    if not torch.cuda.is_available():
        print(f"torch {torch.__version__} sees no GPU here: nothing to measure")
        return
    text = "\n".join(["# MACE on a GPU", "", *measure(args.channels, args.epochs), ""])
    (RESULTS / "mace_gpu.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
