"""Which members a family has, and their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from study_cases import ALPHA, CUTOFF, Make

from xpot_core.cli.setup.schema import study_schema
from xpot_core.errors import InputError
from xpot_core.family import Family, FamilyResults, members_of
from xpot_core.study_file.read import read_study


def names(path: Path, repeat: int | None = None) -> list[str]:
    return [m.name for m in members_of(read_study(path), repeat)]


def test_members_are_the_matrix_times_the_seeds(small: Make) -> None:
    path = small({ALPHA: [0, 0.1, 1.0], CUTOFF: [5.0, {"min": 4.0, "max": 6.0}]})
    assert names(path) == [
        f"alpha-{a}.cutoff-{c}.seed-7" for a in ("0", "0.1", "1") for c in ("5", "min-4_max-6")
    ]
    assert names(small(), 3) == ["seed-7", "seed-8", "seed-9"]
    assert names(small({ALPHA: [0, 1]}), 2) == [
        "alpha-0.seed-7",
        "alpha-1.seed-7",
        "alpha-0.seed-8",
        "alpha-1.seed-8",
    ]
    assert names(small({"seed": [3, 5]})) == ["seed-3", "seed-5"]
    # A larger matrix or more seeds keep the names that are there.
    assert set(names(small({ALPHA: [0, 1]}))) < set(names(small({ALPHA: [0, 0.5, 1]}), 4))


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ({"optimizer": ["sobol", {"random": {}}]}, ["optimizer-sobol", "optimizer-random"]),
        ({"data.validation.seed": [1, 2]}, ["validation.seed-1", "validation.seed-2"]),
        ({"fitter.numpy-pair.widths": [[0.4], [0.3, 0.8]]}, ["widths-0.4", "widths-0.3_0.8"]),
        ({"fitter.numpy-pair.widths.0": [0.4, 0.5]}, ["widths.0-0.4", "widths.0-0.5"]),
        ({"fitter.numpy-pair.smooth": [True, False]}, ["smooth-true", "smooth-false"]),
        ({CUTOFF: [{"choices": list(range(4, 30))}, 5]}, ["cutoff-case1", "cutoff-5"]),
        (
            {"optimizer": ["sobol", {"skopt-gp": {"initial": 20, "initial_design": "hammersly"}}]},
            ["optimizer-sobol", "optimizer-skopt-gp-initial-20_initial_design-hammersly"],
        ),
        ({"fitter.numpy-pair.ridge": [1e-10, 1e-5]}, ["ridge-1e-10", "ridge-1e-05"]),
    ],
)
def test_names_are_short_and_readable(small: Make, matrix: dict[str, Any], expected: list[str]) -> None:
    assert names(small(matrix)) == [f"{name}.seed-7" for name in expected]


def test_a_member_is_the_study_file_with_its_values(small: Make) -> None:
    file = read_study(small({ALPHA: [0.25], "optimizer": ["random"]}))
    (member,) = members_of(file)
    made = member.study_file(file)
    assert made.config.loss == {"energy-force": {"alpha": 0.25}}
    assert made.config.optimizer == {"random": {}}
    assert made.config.study == "argon.alpha-0.25.optimizer-random.seed-7"
    assert "matrix" not in made.raw
    assert file.raw["loss"] == {"energy-force": {"alpha": 0.8}}  # the file itself stays as it is


@pytest.mark.parametrize(
    ("matrix", "key", "words"),
    [
        ({"lss.alpha": [1]}, "matrix.lss.alpha", "unknown key"),
        ({"loss.energy-force.alpa": [0, 1]}, "matrix.loss.energy-force.alpa", "did you mean 'alpha'"),
        ({"fitter.numpy-pair.cutof": [5]}, "matrix.fitter.numpy-pair.cutof", "did you mean 'cutoff'"),
        ({ALPHA: [0.5, 3]}, f"matrix.{ALPHA}", "less than or equal to 1"),
        ({"fitter.numpy-pair.n_basis": ["many"]}, "matrix.fitter.numpy-pair.n_basis", "integer"),
        ({"budget.trials": [0]}, "matrix.budget.trials", "greater than or equal to 1"),
        ({"optimizer": ["sobll"]}, "matrix.optimizer", "unknown optimizer 'sobll'"),
        ({"data.train": ["nowhere.xyz"]}, "matrix.data.train", "does not exist"),
        ({"fitter.numpy-pair.widths.7": [0.4]}, "matrix.fitter.numpy-pair.widths.7", "no such list item"),
        ({"fitter.numpy-pair.n_basis.x": [1]}, "matrix.fitter.numpy-pair.n_basis.x", "valid integer"),
        ({ALPHA: [0, 0.0]}, f"matrix.{ALPHA}", "names a value twice"),
        ({ALPHA: []}, f"matrix.{ALPHA}", "at least 1 item"),
        ({ALPHA: 0.5}, f"matrix.{ALPHA}", "valid list"),
        ({"loss": ["energy-force"], ALPHA: [1]}, "matrix.loss", "holds another key"),
        ({"study": ["a", "b"]}, "matrix.study", "names the family"),
        ({"seed": [1, "x"]}, "matrix.seed", "whole numbers"),
        ({"loss..alpha": [1]}, "matrix.loss..alpha", "no key of a study file"),
    ],
)
def test_a_wrong_matrix_is_told_before_anything_runs(
    small: Make, folder: Path, call: Any, matrix: dict[str, Any], key: str, words: str
) -> None:
    outcome = call("run", small(matrix))
    assert outcome.status == 2, outcome.out
    assert key in outcome.err
    assert words in outcome.err
    assert "study.yaml:" in outcome.err  # the line
    assert "remedy" in outcome.err
    assert not (folder / "runs").exists()


def test_duplicate_keys_and_seeds_twice(small: Make, folder: Path, call: Any) -> None:
    text = small().read_text() + f"matrix:\n  {ALPHA}: [0]\n  {ALPHA}: [1]\n"
    (folder / "twice.yaml").write_text(text)
    outcome = call("run", "twice.yaml")
    assert (outcome.status, "stands twice" in outcome.err) == (2, True)
    outcome = call("run", small({"seed": [1, 2]}), "--repeat", 2)
    assert (outcome.status, "--repeat" in outcome.err) == (2, True)
    assert call("run", small(), "--repeat", 0).status == 2


def test_the_schema_admits_a_matrix() -> None:
    schema = study_schema()["properties"]["matrix"]
    assert schema["type"] == "object"
    assert schema["additionalProperties"]["type"] == "array"
    assert schema["description"]


def test_input_errors_of_python(small: Make) -> None:
    with pytest.raises(InputError, match="at least 1"):
        Family(read_study(small()), repeat=0)
    with pytest.raises(InputError, match="there is no family here"):
        FamilyResults.open("nowhere")
    with pytest.raises(InputError, match="unknown key"):
        Family(read_study(small({"fitter.numpy-pair.cutof": [5]}))).check()
