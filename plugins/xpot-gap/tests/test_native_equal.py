"""Potentials of both engines with the same sparse points are the same, on DFT data of one and two elements."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read
from gap_cases import make_options, make_request
from xpot_gap.fitter import GapFitter
from xpot_gap.potential.predictor import GapPredictor

from xpot_core.api import Frame, TrainingData

pytest.importorskip("quippy")

SETS = {"Si": "zuo2020/Si_train.xyz", "InP": "inp/InP_train.xyz"}
TERMS = {
    "usual": [
        {"distance_2b": {"cutoff": 4.6, "n_sparse": 8, "theta_uniform": 1.2, "delta": 2.0}},
        {"soap": {"cutoff": 4.4, "n_max": 5, "l_max": 3, "n_sparse": 12, "zeta": 3}},
    ],
    "clusters": [
        {"distance_Nb": {"order": 2, "cutoff": 4.6, "n_sparse": 8, "covariance_type": "pp"}},
        {"distance_Nb": {"order": 3, "cutoff": 4.3, "n_sparse": 6, "theta_uniform": 0.9, "delta": 0.4}},
    ],
    "others": [
        {"distance_2b": {"cutoff": 4.6, "n_sparse": 8, "covariance_type": "pp", "theta_uniform": 1.5}},
        {"angle_3b": {"cutoff": 4.5, "n_sparse": 6, "covariance_type": "dot_product", "delta": 0.1}},
        {"soap_turbo": {"rcut_hard": 4.2, "alpha_max": 5, "l_max": 4, "n_sparse": 12, "delta": 0.3}},
        {
            "soap": {
                "cutoff": 4.0,
                "n_max": 4,
                "l_max": 3,
                "n_sparse": 12,
                "covariance_type": "ard_se",
                "theta_uniform": 0.5,
            }
        },
    ],
}


def frames_of(name: str) -> list[Frame]:
    """Five small cells with forces, the smallest first, and a cluster cut from one."""
    root = Path(os.environ.get("XPOT_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not (root / SETS[name]).is_file():
        pytest.skip(f"reference data {root / SETS[name]} not here; set XPOT_DATA")
    images = sorted(read(root / SETS[name], ":"), key=len)
    images = [
        a
        for a in images
        if np.std(a.arrays["REF_forces"]) > 0.1 and (name == "Si" or len(set(a.symbols)) > 1)
    ]
    images = images[:40:8]
    found = []
    for i, atoms in enumerate(images):
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
        virial = atoms.info.get("REF_virial")
        virial = None if virial is None else np.array(virial, dtype=float).reshape(3, 3)
        forces = atoms.arrays["REF_forces"]
        found.append(Frame(bare, float(atoms.info["REF_energy"]), forces, virial, "bulk", f"{name}#{i}"))
    cluster = images[-1][:5]
    cluster.pbc = False
    bare = Atoms(cluster.numbers, positions=cluster.positions)
    found.append(Frame(bare, -20.0, np.zeros((len(bare), 3)), None, "bulk", f"{name}#cluster"))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("name", SETS)
def test_same_potential_by_both_engines(tmp_path: Path, name: str, terms: str) -> None:
    frames = frames_of(name)
    elements = ("Si",) if name == "Si" else ("In", "P")
    data = TrainingData(tuple(frames), (-1,) * len(frames), elements, ("bulk",))
    found = {}
    for engine in ("native", "gap_fit"):
        folder = tmp_path / engine
        folder.mkdir()
        options = make_options(
            descriptors=TERMS[terms],
            e0="average",
            sparse_jitter=1e-8,
            engine=engine,
            sparse_selection="gap_fit",
        )
        potential = GapFitter().fit(make_request(data, folder, options=options))
        found[engine] = GapPredictor().predict(potential, frames, directory=folder)
    ours, theirs = found["native"], found["gap_fit"]
    for i, frame in enumerate(frames):
        assert abs(ours.energies[i] - theirs.energies[i]) / frame.n_atoms < 1e-8
        assert np.abs(ours.forces[i] - theirs.forces[i]).max() < 1e-6
        if frame.virial is not None:
            assert np.abs(ours.virials[i] - theirs.virials[i]).max() < 1e-6 * frame.n_atoms
