"""Frames with random targets for the tests of this library."""

from __future__ import annotations

import os
import time

import numpy as np
from ase import Atoms
from xpot_pair.fitter import PairBasis

from xpot_core.api import FitError, Frame, TrainingData

GROUPS = ("bulk", "cluster", "strained")
ELEMENTS = ("In", "P")
PLACES = np.array(
    [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5), (0.25, 0.25, 0.25), (0.75, 0.75, 0.25)]
)


def small_data(n: int = 30, external: int = 4, folds: int = 3, one_composition: bool = False) -> TrainingData:
    """Random structures of two elements, periodic or not, with energies, forces and virials."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(n + external):
        group = GROUPS[i % 3]
        symbols = [ELEMENTS[(i + j) % 2 if one_composition else int(j <= i % 4)] for j in range(6)]
        strain = rng.normal(scale=0.08, size=(3, 3)) if group == "strained" else np.zeros((3, 3))
        cell = 5.5 * (np.eye(3) + strain)
        positions = PLACES @ cell + rng.normal(scale=0.2, size=(6, 3))
        atoms = Atoms(symbols, positions=positions, cell=cell, pbc=group != "cluster")
        virial = rng.normal(scale=0.5, size=(3, 3))
        frames.append(
            Frame(
                atoms,
                float(-20 + rng.normal()),
                rng.normal(size=(6, 3)),
                None if group == "cluster" else virial + virial.T,
                group,
                f"small#{i}",
                f"id{i}",
            )
        )
    labels = [i // 3 % folds if folds else -1 for i in range(n)] + [-2] * external
    return TrainingData(tuple(frames), tuple(labels), ELEMENTS, GROUPS)


class Spoilt(PairBasis):
    """A basis that fails for one frame; here, since worker processes import it."""

    def rows(self, frame):
        if frame.source == "small#1":
            raise FitError("small#1 has no rows")
        return super().rows(frame)


class Sleeping:
    """Work that takes its time and says who did it."""

    def do(self, task: float) -> int:
        time.sleep(task)
        return os.getpid()

    def describe(self, task: float) -> str:
        return "a rest"

    def close(self) -> None:
        pass
