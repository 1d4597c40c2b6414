"""Every number that a validator tells has a unit, or is a count or a ratio."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from xpot_lammps.process.reports import report
from xpot_lammps.process.units import unit_of

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "validation.md"


@pytest.mark.skipif(not GUIDE.is_file(), reason="the guide lies in the repository")
def test_every_value_of_the_guide_has_its_unit() -> None:
    rows = re.findall(r"^\| `[\w-]+` \| [^|]+ \| ([^|]+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    names -= {"lammps-md"}  # whose values another test tells too
    assert len(names) > 40
    assert not [name for name in names if unit_of(name) is None]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("lattice_constant", "Å"),
        ("c", "Å"),
        ("c11", "GPa"),
        ("c56", "GPa"),
        ("data_c44_uncertainty", "GPa"),
        ("c44_error", ""),
        ("Si-O_distance", "Å"),
        ("distance", ""),
        ("Si-O_binding_energy", "eV"),
        ("formation_energy_unrelaxed", "eV"),
        ("energy_drift", "meV/atom/ps"),
        ("lowest_frequency", "THz"),
        ("coordination_4", ""),
        ("somebody_elses", None),
    ],
)
def test_units(name: str, unit: str | None) -> None:
    assert unit_of(name) == unit


def test_a_report_holds_the_units_of_its_values() -> None:
    found = report(True, "fine", {"c11": 160.0, "n_atoms": 8, "density": float("nan")})
    assert found.units == {"c11": "GPa"}
