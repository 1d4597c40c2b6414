from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write

from xpot_core.deliver.committee import (
    Disagreement,
    choose_members,
    disagreement,
    load_committee,
    pair_distribution,
    select_frames,
)
from xpot_core.errors import InputError
from xpot_core.space.parameters import Float, Space
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame
from xpot_core.types.trials import Trial, TrialState

SPACE = Space((Float("a", 0.0, 1.0), Float("b", 0.0, 10.0)))


def trial(number: int, loss: float, a: float, b: float) -> Trial:
    return Trial(number, values={"a": a, "b": b}, state=TrialState.COMPLETE, loss=loss, objectives=(loss,))


def frame(atoms: Atoms, identity: str) -> Frame:
    return Frame(atoms, None, None, None, "g", identity, identity)


def test_members_are_good_and_lie_apart() -> None:
    trials = [
        trial(0, 1.0, 0.5, 5.0),
        trial(1, 1.01, 0.51, 5.0),  # nearly the best one again
        trial(2, 1.2, 0.0, 0.0),
        trial(3, 1.3, 1.0, 10.0),
        trial(4, 9.0, 1.0, 0.0),  # far, and bad
    ]
    assert [t.number for t in choose_members(trials, SPACE, 3)] == [0, 2, 3]
    with pytest.raises(InputError, match="only 4 different trials"):
        choose_members(trials, SPACE, 5)
    with pytest.raises(InputError, match="at least two"):
        choose_members(trials, SPACE, 1)
    # a copy of a trial is no second opinion
    with pytest.raises(InputError, match="only 1 different"):
        choose_members([trials[0], trial(9, 1.0, 0.5, 5.0)], SPACE, 2)


def test_disagreement_is_a_standard_deviation() -> None:
    atoms = Atoms("Ar2", [[0, 0, 0], [0, 0, 3]])
    forces = [np.zeros((2, 3)), np.array([[0, 0, 0], [3.0, 4.0, 0]])]
    models = [Predictions(np.array([e]), [f]) for e, f in zip((2.0, 6.0), forces, strict=True)]
    found = disagreement(models, [frame(atoms, "x")])
    assert found == [Disagreement(energy=1.0, force=2.5)]


def test_selection_leaves_out_what_is_alike() -> None:
    base = bulk("Ar", cubic=True, a=5.3)
    turned = base.copy()
    turned.rotate(30, "x", rotate_cell=True)
    other = base.copy()
    other.rattle(0.4, seed=1)
    denser = bulk("Ar", cubic=True, a=5.0)
    pool = [frame(a, str(i)) for i, a in enumerate([base, turned, base * (2, 1, 1), other, denser, base])]
    found = [Disagreement(1.0, f) for f in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4)]
    assert select_frames(pool, found, 6) == [0, 3, 4]
    assert select_frames(pool, found, 6, similar=0) == [0, 1, 2, 3, 4, 5]
    assert select_frames(pool, found, 2, known=["0", "1", "2", "5"]) == [3, 4]
    energies = [Disagreement(float(i == 4), 0.0) for i in range(6)]
    assert select_frames(pool, energies, 1, by="energy") == [4]
    assert np.allclose(pair_distribution(base), pair_distribution(turned))


def test_committee_and_selection_by_command(
    folder: Path, study: Callable[..., Path], call: Callable[..., object]
) -> None:
    path = study({"budget": {"trials": 12}})
    assert call("run", path, "--quiet").status == 0
    out = call("export", "argon", "--committee", 3, "--to", "team")
    assert out.status == 0, out.err
    content = json.loads(Path("team/committee.json").read_text())
    assert len(content["members"]) == 3
    losses = [m["loss"] for m in content["members"]]
    assert losses[0] == min(losses)
    assert max(losses) <= content["worst_loss"] * losses[0]
    Path("team").rename("moved")
    potentials = load_committee(Path("moved"))
    assert len({p.sha256["pair.json"] for p in potentials}) == 3
    assert call("export", "argon", "--committee", 3, "--trial", 1, "--to", "x").status == 2

    train = read("train.xyz", ":")
    pool = [bulk("Ar", cubic=True, a=5.3) for _ in range(6)]
    for i, atoms in enumerate(pool):
        atoms.rattle(0.1, seed=100 + i)
        atoms.info["config_type"] = "pool"
    pool[3].positions[0] += 1.6  # beyond what any model has seen
    pool.append(pool[3].copy())
    pool.append(train[0])
    write("pool.xyz", pool, format="extxyz")
    out = call(
        "select", "argon", "--pool", "pool.xyz", "--n", 4, "--committee-dir", "moved", "-o", "new/s.xyz"
    )
    assert out.status == 0, out.err
    chosen = read("new/s.xyz", ":")
    assert len(chosen) == 4
    assert chosen[0].info["pool_index"] == 3
    assert 6 not in [a.info["pool_index"] for a in chosen]
    assert chosen[0].info["config_type"] == "pool"
    spreads = [a.info["committee_force_std"] for a in chosen]
    assert spreads == sorted(spreads, reverse=True)
    # fitted here: the same models, hence the same numbers
    out = call("select", "argon", "--pool", "pool.xyz", "--n", 99, "--committee", 3, "-o", "t.xyz", "--json")
    data = json.loads(out.out)
    assert data["committee"] == 3
    assert not {6, 7} & set(data["selected"])
    assert data["frames"][3]["force_std"] == pytest.approx(spreads[0], rel=1e-6)
    write("odd.xyz", bulk("Kr"), format="extxyz")
    out = call("select", "argon", "--pool", "odd.xyz", "--committee-dir", "moved", "-o", "t.xyz")
    assert out.status == 2
    assert "Kr" in out.err
    (Path("moved") / content["members"][0]["potential"]["directory"] / "pair.json").write_text("{}")
    with pytest.raises(InputError, match="changed"):
        load_committee(Path("moved"))
    with pytest.raises(InputError, match="no committee"):
        load_committee(Path("new"))


@pytest.mark.slow
def test_scripts_redo_errors_and_dimers(
    folder: Path, study: Callable[..., Path], call: Callable[..., object]
) -> None:
    assert call("run", study(), "--quiet").status == 0
    out = call("export", "argon", "--to", "potential", "--scripts")
    assert out.status == 0, out.err
    target = Path("potential")
    assert (target / "test.xyz").is_file()
    assert not (target / "validation.xyz").is_file()  # folds: nothing is held out of the final fit
    assert "validate.py" in (target / "SHA256SUMS").read_text()
    for script in ("validate.py", "dimer_curves.py"):
        done = subprocess.run(
            [sys.executable, script],
            cwd=target,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if script == "validate.py":
            table = done.stdout
    shown = json.loads(call("show", "argon", "--json").out)["test"]
    last = table.splitlines()[-1].split()
    assert last[0] == "all"
    assert float(last[1]) == pytest.approx(shown["energy_rmse"], abs=1e-3)
    assert float(last[2]) == pytest.approx(shown["force_rmse"], abs=1e-4)
    with (target / "dimer_curves.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["distance_A", "Ar-Ar_eV"]
    assert len(rows) == 106
    # text of others: neither an own import nor a trace of this machine but the fallback's
    for script in ("validate.py", "dimer_curves.py"):
        text = (target / script).read_text()
        assert "xpot" not in text
        assert str(folder) not in text


def test_a_fitter_that_does_not_know_how_sure_it_is(
    folder: Path, study: Callable[..., Path], call: Callable[..., object]
) -> None:
    assert call("run", study({"budget": {"trials": 2}}), "--quiet").status == 0
    write("pool.xyz", bulk("Ar", cubic=True, a=5.3), format="extxyz")
    out = call("select", "argon", "--pool", "pool.xyz", "--by", "leverage", "-o", "t.xyz")
    assert out.status == 2
    assert "does not know how sure its fits are" in out.err
