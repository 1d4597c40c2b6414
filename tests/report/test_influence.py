"""Training structures that decide a fit: order, texts, and what is unknown."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from ase import Atoms

from xpot_core.report.statistics.influence import INFLUENCE_HEADS, Influences, influences_from
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.fitting import LeftOut
from xpot_core.types.structures import Frame

FRAMES = [Frame(Atoms("Cu2"), None, None, None, "bulk", f"train.xyz#{i}" if i else "") for i in range(5)]


def left_out(influence: list[float], known: bool = True) -> LeftOut:
    """Three training frames among five; the last has no forces."""
    energies, forces = np.array([0.1, -0.2, 0.3]), np.array([0.5, 0.6, math.nan])
    trained = (energies / 2, forces / 2) if known else ()
    return LeftOut((0, 2, 4), ErrorTable(), energies, forces, np.array(influence), *trained)


def test_the_largest_influence_comes_first() -> None:
    rows = left_out([0.5, 2.0, 0.5]).of_frames(FRAMES)
    assert [row.structure for row in rows] == ["train.xyz#2", "frame 0", "train.xyz#4"]
    found = Influences(tuple(rows))
    assert found.text() == "1 of 3 training structures make half of all influence on the fit"
    assert found.cells(1) == [("train.xyz#2", "bulk", "2", "2.00", "-100", "-200", "0.300", "0.600")]
    assert len(found.cells(5)[0]) == len(INFLUENCE_HEADS)
    (first,) = found.to_json(1)["structures"]
    assert first["energy_error_left_out_meV_per_atom"] == pytest.approx(-200.0)
    assert found.to_json(3)["structures"][2]["force_rmse_left_out_eV_per_A"] is None


def test_an_infinite_influence_is_said_in_words_and_survives_json() -> None:
    rows = left_out([0.5, 2.0, math.inf], known=False).of_frames(FRAMES)
    again = influences_from(json.loads(json.dumps([row.to_json() for row in rows])))
    assert again == tuple(rows)
    found = Influences(again)
    assert found.cells(1) == [("train.xyz#4", "bulk", "2", "alone", "–", "300", "–", "–")]
    assert found.text().endswith("no other tells it: 1 of 3")
    assert found.to_json(1)["structures"][0]["influence"] is None


def test_what_is_not_known_says_why() -> None:
    found = Influences((), "the fit is singular")
    assert found.cells(10) == []
    assert (
        found.text() == "how much each training structure decides the fit is not known: the fit is singular"
    )
