"""Errors as FitSNAP counts them; against its own: tests/test_snap_and_fitsnap.py."""

from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from xpot_fitsnap.metrics.errors import reported_errors
from xpot_fitsnap.metrics.file import Metric, metrics_file, read_metrics
from xpot_fitsnap.options import FitsnapOptions
from xpot_lammps_session.session import NKTV2P
from xpot_lammps_session.testing import small_data

from xpot_core.api import EVERY_GROUP, Predictions, ReportRequest, error_table

TODAY = """|                                               |   ncount |   mae |  rmse |   rsq |
|:----------------------------------------------|---------:|------:|------:|------:|
| ('*ALL', 'Unweighted', 'Training', 'Energy')  |        9 |   0.5 |  0.25 |  0.9  |
| ('a b', 'weighted', 'Testing', 'Stress')      |  1.2e+06 |     2 | 3e-01 | -inf  |
"""
COMMAS = """Group,Weighting,Testing,Subsystem,ncount,mae,rmse,rsq
*ALL,Unweighted,Training,Energy,9,0.50000000,0.25000000,0.9
a b,weighted,Testing,Stress,1200000,2.00000000,0.30000000,-inf
"""
OLDER = """|                                    |   ncount |   mae |  rmse |   rsq |
|:-----------------------------------|---------:|------:|------:|------:|
| ('*ALL', 'Unweighted', 'Energy')   |        9 |   0.5 |  0.25 |  0.9  |
"""
ALL = Metric("train", EVERY_GROUP, False, "energy", 9, 0.5, 0.25)
OTHER = Metric("test", "a b", True, "stress", 1_200_000, 2.0, 0.3)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TODAY, [ALL, OTHER]),
        (COMMAS, [ALL, OTHER]),
        (COMMAS.replace("a b", '"a b"').replace(",", " "), [ALL, OTHER]),
        (OLDER, [ALL]),
        ("# anything else\n", []),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", []),
        ("", []),
    ],
)
def test_forms_of_the_file(text, found, tmp_path):
    (tmp_path / "metrics").write_text(text)
    assert read_metrics(tmp_path / "metrics") == found


def test_where_the_file_is_looked_for(tmp_path):
    config = ConfigParser()
    config.read_string("[OUTFILE]\nmetrics = Ta_metrics.md\n")
    path = tmp_path / "Ta.in"
    assert metrics_file(config, path) is None
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    (tmp_path / "one" / "Ta_metrics.md").write_text(TODAY)
    assert metrics_file(config, path) == tmp_path / "one" / "Ta_metrics.md"
    (tmp_path / "two" / "Ta_metrics.md").write_text(TODAY)
    assert metrics_file(config, path) is None  # nobody knows which
    (tmp_path / "Ta_metrics.md").write_text(OLDER)
    assert metrics_file(config, path) == tmp_path / "Ta_metrics.md"


def all_rows(groups):
    lines = [
        f"{group} {weighting} Training {kind} 1 1.0 1.0 0.0"
        for group in ("*ALL", *groups)
        for weighting in ("Unweighted", "weighted")
        for kind in ("Energy", "Force", "Stress")
    ]
    return "\n".join(["Group Weighting Testing Subsystem ncount mae rmse rsq", *lines])


def compared(folder: Path, data, options):
    """Our errors in FitSNAP's conventions by group, weighting and quantity, and the predictions they are of."""
    rng = np.random.default_rng(1)
    virials = np.array([rng.normal(size=(3, 3)) for _ in data.frames])
    predictions = Predictions(
        np.array([f.energy + rng.normal() for f in data.frames]),
        [f.forces + rng.normal(size=(f.n_atoms, 3)) for f in data.frames],
        virials
        + virials.swapaxes(1, 2)
        + [np.zeros((3, 3)) if f.virial is None else f.virial for f in data.frames],
    )
    path = folder / "metrics"
    path.write_text(all_rows(data.groups))
    found = reported_errors(ReportRequest(path, "train", data.frames, predictions, options, data))
    assert found is not None
    return {(r.group, r.weighted, r.quantity): r for r in found.rows}, predictions


def test_errors_are_those_of_the_tables_where_the_conventions_agree(tmp_path):
    data = small_data(9, 0, 0)
    options = FitsnapOptions(
        eweight={g: 10.0 * (i + 1) for i, g in enumerate(data.groups)}, fweight=3.0, vweight=5.0
    )
    found, predictions = compared(tmp_path, data, options)
    table = error_table(predictions, data.frames)
    for quantity in ("energy", "force"):  # the RMSE of forces is the same in every frame
        for group in data.groups:
            row, sums = found[group, False, quantity], table.total(quantity, [group])
            assert (row.count, row.rmse) == (sums.count, pytest.approx(sums.rmse))
            weight = options.eweight[group] if quantity == "energy" else 3.0
            assert found[group, True, quantity].rmse == pytest.approx(weight * row.rmse)
        assert found[EVERY_GROUP, False, quantity].rmse == pytest.approx(table.total(quantity).rmse)
    plain, weighted = (found[EVERY_GROUP, kind, "stress"] for kind in (False, True))
    assert weighted.rmse == pytest.approx(5e-4 * plain.rmse)
    assert found[EVERY_GROUP, False, "energy"].mae == pytest.approx(table.total("energy").mae)


def test_stress_is_in_lammps_frame(tmp_path):
    data = small_data(9, 0, 0)
    frame = next(f for f in data.frames if f.virial is not None and f.atoms.pbc.all())
    turned = frame.atoms.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    results = []
    for atoms in (frame.atoms, turned):
        rotation = np.linalg.solve(np.array(frame.atoms.cell), np.array(atoms.cell))
        one = replace(
            frame, atoms=atoms, forces=frame.forces @ rotation, virial=rotation.T @ frame.virial @ rotation
        )
        error = rotation.T @ np.diag([1.0, 2.0, 4.0]) @ rotation
        predictions = Predictions(np.zeros(1), [one.forces + rotation[0]], (one.virial + error)[None])
        path = tmp_path / "metrics"
        path.write_text(all_rows([frame.group]))
        own = replace(data, frames=(one,), folds=(0,))
        found = reported_errors(ReportRequest(path, "train", own.frames, predictions, FitsnapOptions(), own))
        results.append({r.quantity: (r.mae, r.rmse) for r in found.rows if not r.weighted})
    for quantity in ("force", "stress"):
        assert results[1][quantity] == pytest.approx(results[0][quantity])
    mean = 7.0 / 6 * NKTV2P / frame.atoms.get_volume()
    if np.allclose(np.triu(np.array(frame.atoms.cell), 1), 0):
        assert results[0]["stress"][0] == pytest.approx(mean)


def test_a_group_without_weights_and_another_fitter(tmp_path):
    data = small_data(9, 0, 0)
    first, *others = data.groups
    options = FitsnapOptions(eweight=dict.fromkeys(others, 1.0), fweight=dict.fromkeys(others, 1.0))
    found, _ = compared(tmp_path, data, options)
    assert np.isnan(found[first, True, "energy"].rmse)
    assert np.isfinite(found[first, False, "energy"].rmse)
    from xpot_core.api import NoOptions

    found, _ = compared(tmp_path, data, NoOptions())
    assert np.isnan(found[EVERY_GROUP, True, "force"].rmse)
