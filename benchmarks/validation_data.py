"""The sets behind ``validation_sets.py``: one training set, several to validate on, several to test on."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import read

HERE = Path(__file__).resolve().parent
ZUO = Path(os.environ.get("XPOT_DATA", "../shared/data")).resolve() / "zuo2020"
HOT = 2000  # K: silicon melts at 1687


@dataclass(frozen=True)
class Sets:
    """Frames of one comparison.

    Attributes
    ----------
    name, title
        For folders and for people.
    sizes
        Values of twojmax, each a comparison of its own.
    train
        What every winner is fitted to.
    validation, test
        Name -> frames; no frame is in two sets.
    ignored
        Groups that are trained on and count neither in the loss nor in the test errors.
    fitter
        Further options of SNAP.
    """

    name: str
    title: str
    sizes: tuple[int, ...]
    train: list[Atoms]
    validation: dict[str, list[Atoms]]
    test: dict[str, list[Atoms]]
    ignored: tuple[str, ...] = ()
    fitter: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """How large the sets are."""

        def counts(sets: dict[str, list[Atoms]]) -> str:
            sizes = {k: sum(a.info["config_type"] not in self.ignored for a in v) for k, v in sets.items()}
            return ", ".join(f"{name} {size}" for name, size in sizes.items())

        text = f"Structures: training {len(self.train)}; validation: {counts(self.validation)}; "
        text += f"test: {counts(self.test)}."
        if self.ignored:
            names = " and ".join(f"`{name}`" for name in self.ignored)
            text += f" {names} are trained on, and count neither in the loss nor in the test errors."
        return text


def examples() -> Sets:
    """The project's own silicon; random packings and hot cells are halved by their seeds."""
    # bench-quick runs a copy of this folder from build/: the examples are looked for upwards.
    folder = next(p / "examples/silicon" for p in HERE.parents if (p / "examples/silicon").is_dir())
    external = {name: read(folder / f"silicon_{name}.xyz", ":") for name in ("hot", "random")}
    halves = {
        half: {n: [a for a in frames if a.info["split"] == half] for n, frames in external.items()}
        for half in ("validation", "test")
    }
    return Sets(
        "examples",
        "Silicon of examples/silicon",
        (4, 6),
        read(folder / "silicon_train.xyz", ":"),
        halves["validation"],
        {"standard": read(folder / "silicon_test.xyz", ":"), **halves["test"]},
        # Two atoms at 1.6 Å and their 23 eV/Å would decide both errors.
        ("dimer", "isolated_atom"),
        {"reference": "zbl", "zbl_inner": 1.2, "zbl_outer": 2.0},
    )


def zuo2020() -> Sets:
    """Silicon of Zuo et al., trained below 2000 K; each hotter trajectory validates first and tests later."""
    train, test = (read(ZUO / f"Si_{name}.xyz", ":") for name in ("train", "test"))
    cool = [a for a in train if temperature(a) < HOT]
    known = {fingerprint(a) for a in cool}
    hot = sorted((a for a in train if temperature(a) >= HOT), key=_time)
    trajectories: dict[str, list[Atoms]] = {}
    for atoms in hot:
        trajectories.setdefault(re.sub(r"Snapshot \d+", "", atoms.info["description"]), []).append(atoms)
    first = [a for frames in trajectories.values() for a in frames[: len(frames) // 2]]
    second = [a for frames in trajectories.values() for a in frames[len(frames) // 2 :]]
    return Sets(
        "zuo2020",
        "Silicon of Zuo et al. (2020), trained below 2000 K",
        (4,),
        cool,
        {"hot": first},
        {
            # Symmetry-equivalent copies of training structures say nothing about unseen ones.
            "standard": [a for a in test if temperature(a) < HOT and fingerprint(a) not in known],
            "hot": second + [a for a in test if temperature(a) >= HOT],
        },
    )


def temperature(atoms: Atoms) -> int:
    """Of the molecular dynamics that a frame comes from (K); 0 for all others."""
    found = re.search(r"at (\d+) K", str(atoms.info.get("description", "")))
    return int(found[1]) if found else 0


def _time(atoms: Atoms) -> int:
    found = re.search(r"Snapshot (\d+)", atoms.info["description"])
    assert found is not None
    return int(found[1])


def fingerprint(atoms: Atoms) -> tuple[int, float, float]:
    """What symmetry-equivalent structures share: number of atoms, energy and volume per atom."""
    n = len(atoms)
    return n, round(atoms.info["REF_energy"] / n, 5), round(atoms.get_volume() / n, 3)


DATA: dict[str, Callable[[], Sets]] = {"examples": examples, "zuo2020": zuo2020}
