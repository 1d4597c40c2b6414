"""One structure in three dimensions: atoms, bonds and cell."""

from __future__ import annotations

import itertools

import numpy as np

from xpot_core.errors import InputError
from xpot_core.live.drawing import SOFT, Figure, Json, column, lines, plain
from xpot_core.live.library import OpenStudy
from xpot_core.statistics.outliers import structure_errors
from xpot_core.statistics.predictions import prediction_file

_MOST_ATOMS = 2000
_BOND = 1.15
"""Atoms closer than so many sums of their covalent radii are drawn as bonded."""


def structure(study: OpenStudy, name: str, index: int) -> Figure:
    """A structure of a set with its errors.

    Raises
    ------
    InputError
        If the winner has no such set, or the set no such structure.
    """
    from ase.io import read

    found = study.sets.get(name)
    if found is None or not 0 <= index < len(found):
        raise InputError("there is no such structure", key=name, value=index)
    atoms = read(prediction_file(study.results.directory, name), index=index, format="extxyz")
    error = structure_errors(found)[index]
    told = [f"{error.group}, {len(atoms)} atoms"]
    if error.energy is not None:
        told.append(f"energy off by {error.energy:.4g} meV/atom")
    if error.force is not None:
        told.append(f"force RMSE {error.force:.3g} eV/Å")
    if len(atoms) > _MOST_ATOMS:
        told.append(f"the first {_MOST_ATOMS:,} atoms are drawn")
        atoms = atoms[:_MOST_ATOMS]
    hidden = {"visible": False}
    layout: Json = {
        "scene": {
            "aspectmode": "data",
            "dragmode": "orbit",
            "xaxis": hidden,
            "yaxis": hidden,
            "zaxis": hidden,
            "camera": {"projection": {"type": "orthographic"}},
        },
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
    }
    data = [*_cell(np.array(atoms.cell)), *_bonds(atoms), *_atoms(atoms)]
    return Figure(error.source, data, layout, "; ".join(told) + ".", height=460)


def _atoms(atoms: object) -> list[Json]:
    from ase.data import covalent_radii
    from ase.data.colors import jmol_colors

    symbols = np.array(atoms.get_chemical_symbols())  # type: ignore[attr-defined]
    numbers, positions = atoms.get_atomic_numbers(), atoms.get_positions()  # type: ignore[attr-defined]
    data: list[Json] = []
    for symbol in sorted(set(symbols.tolist())):
        mine = np.flatnonzero(symbols == symbol)
        number = int(numbers[mine[0]])
        red, green, blue = (int(255 * c) for c in jmol_colors[number])
        data.append(
            {
                "type": "scatter3d",
                "mode": "markers",
                "name": plain(symbol),
                **dict(zip("xyz", map(column, positions[mine].T), strict=True)),
                "text": [
                    lines(f"{symbol}, atom {i}", "({:.3f}, {:.3f}, {:.3f}) Å".format(*positions[i]))
                    for i in mine
                ],
                "hoverinfo": "text",
                "marker": {
                    "size": 6 + 8 * float(covalent_radii[number]),
                    "color": f"rgb({red},{green},{blue})",
                    "line": {"width": 1, "color": "#444444"},
                },
            }
        )
    return data


def _bonds(atoms: object) -> list[Json]:
    """Bonds inside of the cell; those through its faces would need atoms outside."""
    from ase.neighborlist import natural_cutoffs, neighbor_list

    i, j, shift = neighbor_list("ijS", atoms, natural_cutoffs(atoms, mult=_BOND))
    inside = (i < j) & ~shift.any(axis=1)
    positions = atoms.get_positions()  # type: ignore[attr-defined]
    return _segments(
        [(positions[a], positions[b]) for a, b in zip(i[inside], j[inside], strict=True)], "#888888", 6
    )


def _cell(cell: np.ndarray) -> list[Json]:
    """The twelve edges of the cell, if it has one."""
    corners = list(itertools.product((0.0, 1.0), repeat=3))
    edges = [(a, b) for a, b in itertools.combinations(corners, 2) if sum(abs(np.subtract(a, b))) == 1]
    return _segments([(a @ cell, b @ cell) for a, b in edges], SOFT, 2) if cell.any() else []


def _segments(ends: list[tuple[np.ndarray, np.ndarray]], colour: str, width: int) -> list[Json]:
    """Many lines as one trace: plotly breaks a line at a gap."""
    gap = np.full(3, np.nan)
    points = np.array([p for a, b in ends for p in (a, b, gap)]).reshape(-1, 3)
    return [
        {
            "type": "scatter3d",
            "mode": "lines",
            **dict(zip("xyz", map(column, points.T), strict=True)),
            "hoverinfo": "skip",
            "showlegend": False,
            "connectgaps": False,
            "line": {"color": colour, "width": width},
        }
    ]
