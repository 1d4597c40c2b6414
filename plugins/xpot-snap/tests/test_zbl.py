"""The ZBL repulsion with radii of its own for each pair of elements, against ZBL by hand."""

from contextlib import closing

import numpy as np
import pytest
from ase.data import atomic_numbers
from ase.neighborlist import neighbor_list
from pydantic import ValidationError
from snap_cases import call_xpot, frame_of, labelled, values_of
from xpot_lammps_session.evaluator import PotentialEvaluator
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_lammps_session.testing import cells, small_data
from xpot_snap.basis import SnapBasis
from xpot_snap.calculator import SnapCalculator
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions
from xpot_snap_model.files import write_potential
from xpot_snap_model.translate import descriptor_settings, reference_potential

from xpot_core.api import FitRequest, InputError

ELEMENTS = ("In", "P")
INNER = {"In-In": 2.1, "In-P": 1.6, "P-P": 1.9}
OUTER = {"In-In": 3.0, "In-P": 2.4, "P-P": 2.9}
"""Wide, so that the structures below have distances inside, between and outside of both radii."""
PER_PAIR = {"reference": "zbl", "zbl_inner": INNER, "zbl_outer": OUTER}
COULOMB = 14.399645
"""e^2 / (4 pi epsilon_0) in eV Å, as LAMMPS' units metal have it."""


def zbl(r, za, zb):
    """Energy of ZBL at distances in Å, eV, with its first and second derivative."""
    a = 0.46850 / (za**0.23 + zb**0.23)
    value, first, second = 0.0, 0.0, 0.0
    for c, d in ((0.02817, 0.20162), (0.28022, 0.40290), (0.50986, 0.94229), (0.18175, 3.19980)):
        k = d / a
        e = c * np.exp(-k * r)
        value = value + e / r
        first = first - e * (k / r + 1 / r**2)
        second = second + e * (k**2 / r + 2 * k / r**2 + 2 / r**3)
    return tuple(COULOMB * za * zb * v for v in (value, first, second))


def switched(r, za, zb, inner, outer):
    """ZBL with the switching of LAMMPS' pair_style zbl: energy (eV) and derivative (eV/Å)."""
    value, first, _ = zbl(r, za, zb)
    end, slope, curve = zbl(outer, za, zb)
    w = outer - inner
    a = (-3 * slope + w * curve) / w**2
    b = (2 * slope - w * curve) / w**3
    c = -end + w * slope / 2 - w**2 * curve / 12
    t = np.clip(r - inner, 0.0, None)
    energy = value + a / 3 * t**3 + b / 4 * t**4 + c
    return np.where(r < outer, energy, 0.0), np.where(r < outer, first + a * t**2 + b * t**3, 0.0)


def by_hand(atoms, inner=INNER, outer=OUTER):
    """Energy (eV), forces (n, 3) in eV/Å and virial (3, 3) in eV."""
    i, j, r, vector = neighbor_list("ijdD", atoms, 4.0)
    symbols = np.array(atoms.get_chemical_symbols())
    energy, forces, virial = 0.0, np.zeros((len(atoms), 3)), np.zeros((3, 3))
    for k in range(len(r)):
        pair = sorted((symbols[i[k]], symbols[j[k]]))
        name = "-".join(pair)
        e, slope = switched(r[k], *(atomic_numbers[s] for s in pair), inner[name], outer[name])
        energy += e / 2
        forces[i[k]] += slope * vector[k] / r[k]
        virial -= slope * np.outer(vector[k], vector[k]) / r[k] / 2
    return energy, forces, virial


def structures():
    """In every kind of cell, half of the atoms indium."""
    found = {}
    for name, atoms in cells().items():
        atoms.symbols = [ELEMENTS[i % 3 != 0] for i in range(len(atoms))]
        found[name] = atoms
    return found


@pytest.mark.parametrize("quadratic", [False, True])
def test_the_reference_is_zbl_with_radii_of_each_pair(quadratic, tmp_path):
    settings = descriptor_settings(SnapOptions(twojmax=2, quadratic=quadratic, **PER_PAIR), ELEMENTS)
    with closing(SnapBasis(settings)) as basis:
        potential = write_potential(tmp_path, settings, basis.layout.expand(np.zeros(basis.size)), {})
        with PotentialEvaluator(potential.path("include"), ELEMENTS) as lammps:
            seen = set()
            for name, atoms in structures().items():
                energy, forces, virial = by_hand(atoms)
                size = max(1.0, float(np.abs(forces).max()))
                rows = basis.rows(frame_of(atoms))
                for found in (
                    values_of(rows, np.zeros(basis.size), fixed=True),
                    lammps.evaluate(atoms),
                ):
                    assert found[0] == pytest.approx(energy, rel=1e-6, abs=1e-6), name
                    assert np.abs(found[1] - forces).max() < 1e-6 * size, name
                    assert np.abs(found[2] - virial).max() < 1e-5 * size, name
                i, j = neighbor_list("ij", atoms, 3.0)
                seen |= {"-".join(sorted(atoms.symbols[[a, b]])) for a, b in zip(i, j, strict=True)}
    assert seen == set(INNER)


def test_calculator_and_predictor_agree_with_the_fit(tmp_path):
    data = small_data(12, 0, 0)
    potential = SnapFitter().fit(FitRequest(SnapOptions(twojmax=2, **PER_PAIR), data, tmp_path))
    frames = [f for f in data.frames if f.atoms.pbc.all()][:3]
    told = LammpsPredictor().predict(potential, frames, directory=tmp_path)
    for k, frame in enumerate(frames):
        atoms = frame.atoms.copy()
        atoms.calc = SnapCalculator(potential.path("include"), potential.elements)
        assert atoms.get_potential_energy() == pytest.approx(told.energies[k], abs=1e-8)
        assert atoms.get_forces() == pytest.approx(told.forces[k], abs=1e-8)


def test_one_number_gives_the_commands_it_always_gave():
    same = reference_potential(SnapOptions(reference="zbl", zbl_inner=1.5, zbl_outer=2.5), ELEMENTS)
    assert same.styles == ("zbl 1.5 2.5",)
    assert same.coefficients == ("1 1 zbl 49 49", "1 2 zbl 49 15", "2 2 zbl 15 15")
    every = dict.fromkeys(INNER, 1.5), dict.fromkeys(INNER, 2.5)
    options = SnapOptions(reference="zbl", zbl_inner=every[0], zbl_outer=every[1])
    assert reference_potential(options, ELEMENTS) == same


def test_equal_radii_share_a_style():
    options = SnapOptions(reference="zbl", zbl_inner=1.5, zbl_outer={"In-In": 2.5, "P-In": 2.0, "P-P": 2.5})
    found = reference_potential(options, ELEMENTS)
    assert found.styles == ("zbl 1.5 2.5", "zbl 1.5 2.0")
    assert found.coefficients == ("1 1 zbl 1 49 49", "1 2 zbl 2 49 15", "2 2 zbl 1 15 15")


def test_radii_of_a_pair_change_the_key_of_the_cache():
    one, other = (
        descriptor_settings(SnapOptions(**PER_PAIR | {"zbl_outer": OUTER | {"P-P": end}}), ELEMENTS)
        for end in (2.9, 2.8)
    )
    assert one.fingerprint() != other.fingerprint()
    assert one.compute_command() == other.compute_command()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"zbl_outer": OUTER | {"P-P": 1.8}}, "zbl_inner 1.9 must be below zbl_outer 1.8 for P-P"),
        ({"zbl_outer": 1.9}, "zbl_inner 2.1 must be below zbl_outer 1.9 for In-In"),
        ({"zbl_outer": OUTER | {"P-In": 2.5}}, "names the pair In-P twice"),
        ({"zbl_inner": INNER | {"P-P": 0.0}}, "should be greater than 0"),
        ({"zbl_inner": INNER | {"P-P": "1"}}, "should be a number"),
    ],
)
def test_bad_radii_are_refused(bad, message):
    with pytest.raises(ValidationError, match=message):
        SnapOptions(**PER_PAIR | bad)


def test_a_pair_without_radii_is_named():
    options = SnapOptions(reference="zbl", zbl_inner=1.5, zbl_outer={"In-In": 2.5, "P-P": 2.5})
    with pytest.raises(InputError, match="no value for pair In-P") as error:
        reference_potential(options, ELEMENTS)
    assert (error.value.key, error.value.remedy) == ("zbl_outer", "name every pair of elements")


@pytest.mark.parametrize(
    ("radii", "key", "parts"),
    [
        ("{In-In: 2.5, In-P: 2.0, P-Si: 2.5}", "zbl_outer.P-Si", ["no pair 'P-Si' in the data", "P-P"]),
        ("{In-In: 2.5, In-P: 2.0}", "zbl_outer", ["gives no value for pair P-P", "name every pair"]),
        (
            "{In-In: 2.5, In-P: 2.0, P-In: 2.0, P-P: 2.5}",
            "zbl_outer.P-In",
            ["names the pair In-P twice", "name it once"],
        ),
        (
            "{In-In: 2.5, In-P: 2.0, P-P: 1.2}",
            "zbl_outer",
            ["zbl_inner 1.5 must be below zbl_outer 1.2 for P-P", "'P-P': 1.2", "ZBL is zero"],
        ),
        (
            "{In-In: 2.5, In-P: {min: 1.4, max: 2.0}, P-P: 2.0}",
            "zbl_outer.In-P",
            ["its range holds a value that is not allowed", "for In-P", "1.4"],
        ),
    ],
)
def test_a_study_with_bad_radii_says_where(radii, key, parts, tmp_path, capsys, monkeypatch):
    from ase.io import write

    monkeypatch.chdir(tmp_path)
    frames = [labelled(f) for f in small_data(9, 0, 0).frames if f.atoms.pbc.all()]
    write("train.xyz", frames, format="extxyz")
    (tmp_path / "study.yaml").write_text(
        "study: s\ndata: {train: train.xyz, validation: {kfold: 2}, keys: {energy: REF_energy, forces: REF_forces,"
        " virial: REF_virial}}\n"
        f"fitter: {{snap: {{twojmax: 2, reference: zbl, zbl_inner: 1.5, zbl_outer: {radii}}}}}\nseed: 1\n"
    )
    told = call_xpot(capsys, "doctor", "study.yaml", status=2)
    assert "study.yaml" in told
    assert f"fitter.snap.{key}" in told
    for part in parts:
        assert part in told
