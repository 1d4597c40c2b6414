"""Frames chosen by what the best SNAP of a study does not know."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ase.io import read, write
from snap_cases import call_xpot, labelled
from xpot_lammps_session.testing import small_data

STUDY = """
study: small
data: {train: train.xyz, keys: {energy: REF_energy, forces: REF_forces, virial: REF_virial}, group_by: config_type}
fitter: {snap: {twojmax: 4, rcutfac: {min: 3.8, max: 4.4}, ridge: 1.0e-8}}
loss: {energy-force: {alpha: 0.8}}
optimizer: sobol
budget: {trials: 2}
"""


@pytest.mark.slow
@pytest.mark.parametrize("by", ["leverage", "variance"])
def test_selection_by_one_model(by, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    every = [labelled(f) for f in small_data(36, 0, 0).frames]
    write("train.xyz", every[:30], format="extxyz")
    strange = every[30].copy()
    strange.set_cell(0.75 * np.array(strange.cell), scale_atoms=True)
    write("pool.xyz", [*every[30:], strange, strange, every[0]], format="extxyz")
    Path("study.yaml").write_text(STUDY)

    call = partial(call_xpot, capsys)
    call("run", "study.yaml", "--quiet")
    out = call("select", "small", "--pool", "pool.xyz", "--n", 4, "--by", by, "-o", "s.xyz", "--json")
    data = json.loads(out)
    taken = data["selected"]
    assert taken[0] in (6, 7)
    assert len({6, 7} & set(taken)) == 1
    assert 8 not in taken
    assert data["frames"][6]["leverage"] > 1.0
    chosen = read("s.xyz", ":")
    assert [a.info["pool_index"] for a in chosen] == taken
    assert chosen[0].info["leverage"] == pytest.approx(data["frames"][taken[0]]["leverage"])
    assert "frames" in call("select", "small", "--pool", "pool.xyz", "--n", 2, "--by", by, "-o", "s.xyz")
