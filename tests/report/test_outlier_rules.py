"""Which structures are named as outliers: made-up errors and files; test_outliers.py runs commands on a fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from xpot_core.cli.report.compare import compare
from xpot_core.cli.report.show import show
from xpot_core.errors import InputError
from xpot_core.report.tables.study import outlier_lines
from xpot_core.results.read import StudyResults
from xpot_core.statistics.outliers import largest_errors, outliers
from xpot_core.statistics.predictions import Structure, read_set
from xpot_core.trial.failure import write_predictions
from xpot_core.types.error_sums import error_table
from xpot_core.types.predicting import Predictions

Maker = Callable[..., StudyResults]


def _set(energies: Any, forces: Any = None) -> dict[str, list[Structure]]:
    """Structures of one atom with the given errors (eV, eV/Å)."""
    rows = []
    for i, e in enumerate(energies):
        pair = None if forces is None else (np.zeros((1, 3)), np.full((1, 3), forces[i]))
        rows.append(Structure(str(i), "g", ("Si",), (-5.0, -5.0 + float(e)), pair, None, f"a.xyz#{i}"))
    return {"test": rows}


def _normal(n: int, seed: int = 0, scale: float = 1e-3) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, n)


def test_one_wrong_structure() -> None:
    errors = _normal(70)
    errors[34] = 2.5
    (found,) = outliers(_set(errors))
    others = np.delete(errors, 34)
    assert [s.source for s in found.structures] == ["a.xyz#34"]
    assert found.rmse == pytest.approx(1000 * np.sqrt(np.mean(errors**2)))
    assert found.without == pytest.approx(1000 * np.sqrt(np.mean(others**2)))
    assert found.text().startswith(
        "test energies: a.xyz#34 (g, off by 2500 meV/atom) makes 99.9 % of the squared"
    )
    assert found.text().endswith(f"299 meV/atom with it, {found.without:.3f} without")


def test_two_and_three_wrong_structures_are_named_together() -> None:
    for wrong in ([3, 20], [3, 20, 31]):
        errors = _normal(40)
        errors[wrong] = np.linspace(0.2, 0.25, len(wrong))
        (found,) = outliers(_set(errors))
        assert {s.source for s in found.structures} == {f"a.xyz#{i}" for i in wrong}
        assert found.without < 2
        assert "with them" in found.text()


def test_forces_have_outliers_of_their_own() -> None:
    forces = np.full(12, 0.05)
    forces[5] = 4.0
    (found,) = outliers(_set(_normal(12), forces))
    assert (found.quantity, found.structures[0].source, found.unit) == ("force", "a.xyz#5", "eV/Å")
    assert found.structures[0].force == pytest.approx(4.0)
    assert found.without == pytest.approx(0.05)


@pytest.mark.parametrize("n", [8, 12, 20, 50, 200])
def test_ordinary_errors_are_rarely_called_outliers(n: int) -> None:
    """The largest of a few normal errors makes much of their sum, and belongs to them."""
    named = sum(bool(outliers(_set(_normal(n, seed)))) for seed in range(200))
    assert named <= (12 if n == 8 else 6)  # 2.5 % and 0.6 % are expected


@pytest.mark.parametrize(
    "errors",
    [[], [0.0] * 20, [0.0] * 19 + [1e-7], [1e-3] * 6 + [1.0], [float("nan")] * 9],
    ids=["empty", "exact", "too small to matter", "few structures", "nan"],
)
def test_nothing_is_said_where_nothing_can_be(errors: list[float]) -> None:
    assert outliers(_set(errors)) == []
    assert len(largest_errors(_set(errors), 5)["test"]) == min(5, len(errors))


def test_missing_references_and_the_order() -> None:
    rows = _set([0.1, 0.3, 0.2])["test"]
    rows.append(replace(rows[0], energy=None, source="none"))
    largest = largest_errors({"test": rows}, 10)["test"]
    assert [s.source for s in largest] == ["a.xyz#1", "a.xyz#2", "a.xyz#0", "none"]
    assert sum(s.energy_share or 0 for s in largest) == pytest.approx(1)
    assert (largest[-1].energy, largest[-1].energy_share, largest[-1].force) == (None, None, None)


def test_errors_are_those_of_the_error_table(frames: Any, tmp_path: Path) -> None:
    """Masked forces are left out of both; one of them is far off."""
    chosen = list(frames(12, 4))
    chosen[3] = replace(chosen[3], force_mask=np.arange(chosen[3].n_atoms) > 0)
    forces = [f.forces + 0.01 for f in chosen]
    forces[3][0] = 1000.0
    forces[7] = forces[7] + 5.0
    energies = np.array([f.energy for f in chosen])
    energies[2] += 9.0
    predictions = Predictions(energies, forces, None)
    write_predictions(tmp_path / "p.xyz", chosen, predictions)
    table = error_table(predictions, chosen)
    energy, force = outliers({"test": read_set(tmp_path / "p.xyz")})
    assert energy.structures[0].source == "f#2"
    assert energy.rmse == pytest.approx(1000 * table.total("energy").rmse, rel=1e-5)
    assert force.structures[0].source == "f#7"
    assert force.rmse == pytest.approx(table.total("force").rmse, rel=1e-5)
    assert force.without == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    "name", ["a b.xyz#1", r"a\x1b.xyz#2", "a\\\"q'.xyz#3", "1#4", "[bold]ü.xyz#5", "T=1,2.xyz#6"]
)
def test_sources_come_back_as_they_were(name: str, frames: Any, tmp_path: Path) -> None:
    chosen = [replace(f, source=name) for f in frames(2, 1)]
    exact = Predictions(np.array([f.energy for f in chosen]), [f.forces for f in chosen], None)
    write_predictions(tmp_path / "p.xyz", chosen, exact)
    assert [s.source for s in read_set(tmp_path / "p.xyz")] == [name, name]


def test_files_without_sources_still_read(frames: Any, tmp_path: Path) -> None:
    chosen = [replace(f, source="") for f in frames(3, 1)]
    exact = Predictions(np.array([f.energy for f in chosen]), [f.forces for f in chosen], None)
    write_predictions(tmp_path / "predictions-test.xyz", chosen, exact)
    sources = [s.source for s in read_set(tmp_path / "predictions-test.xyz")]
    assert sources == [f"predictions-test.xyz#{i}" for i in range(3)]


def _with_outlier(make_study: Maker, frames: Any, name: str = "made-up", seed: int = 0) -> StudyResults:
    """A study whose test structure f#4 has the energy of another."""
    test = list(frames(30, 3))
    sets = {"train": frames(10, 1), "validation": frames(12, 2), "test": tuple(test)}
    results = make_study(name, sets=sets, trials=3, seed=seed)
    test[4] = replace(test[4], energy=test[4].energy + 20.0 * test[4].n_atoms)
    exact = Predictions(
        np.array([f.energy for f in frames(30, 3)]) + _normal(30, seed, 0.01), [f.forces for f in test]
    )
    write_predictions(results.directory / "best" / "predictions-test.xyz", test, exact)
    return results


def _invoke(command: Any, *arguments: object) -> str:
    outcome = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_show_lists_the_largest(make_study: Maker, frames: Any) -> None:
    results = _with_outlier(make_study, frames)
    listed = _invoke(show, results.directory, "--outliers", 2)
    assert "test: largest errors, 2 of 30 structures" in listed
    assert "test energies: f#4 (liquid, off by" in " ".join(listed.split())
    data = json.loads(_invoke(show, results.directory, "--outliers", "--json"))
    assert {name: len(rows) for name, rows in data["largest"].items()} == {
        "train": 10,
        "validation": 10,
        "test": 10,
    }
    first = data["largest"]["test"][0]
    assert (first["structure"], first["group"]) == ("f#4", "liquid")
    assert first["energy_error_meV_per_atom"] == pytest.approx(-20000, rel=0.01)
    assert data["outliers"][0]["structures"][0]["structure"] == "f#4"


@pytest.mark.slow
def test_compare_and_report_name_them(make_study: Maker, frames: Any) -> None:
    one, two = (_with_outlier(make_study, frames, n, s) for n, s in (("one", 1), ("two", 2)))
    text = " ".join(_invoke(compare, one.directory, two.directory).split())
    assert "one: test energies: f#4 (liquid," in text
    assert "two: test energies: f#4 (liquid," in text
    sets = json.loads(_invoke(compare, one.directory, two.directory, "--json"))["sets"]
    assert sets[-1]["outliers"]["one"][0]["structures"][0]["structure"] == "f#4"
    pytest.importorskip("matplotlib")
    from xpot_core.report.html.study import write_report

    page = write_report(one)[0].read_text(encoding="utf-8")
    assert "Structures that make an error" in page
    assert "f#4" in page


def test_damaged_predictions_cost_only_the_outliers(make_study: Maker) -> None:
    results = make_study(trials=2)
    path = results.directory / "best" / "predictions-test.xyz"
    path.write_bytes(path.read_bytes()[:-400])
    (line,) = outlier_lines(results)  # what the end of a run prints
    assert "outliers cannot be listed" in str(line)
    assert "E RMSE" in _invoke(show, results.directory)
    with pytest.raises(InputError, match="cannot be read"):
        _invoke(show, results.directory, "--outliers")


def test_wrong_use(make_study: Maker) -> None:
    results = make_study(trials=2, finish=False)
    with pytest.raises(InputError, match="no predictions"):
        _invoke(show, results.directory, "--outliers")
    for other in (["--csv"], ["--watch"], ["--failed"], ["--trial", "1"], ["--alpha", "1"], ["--verify"]):
        with pytest.raises(InputError, match="exclude each other"):
            _invoke(show, results.directory, *other, "--outliers")
