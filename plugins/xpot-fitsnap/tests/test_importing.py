"""Data that FitSNAP's scrapers read, and which part of them it trains on."""

import json
import os
from configparser import ConfigParser
from pathlib import Path

import numpy as np
import pytest
from ase.io import read, write
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from xpot_fitsnap.importing.data.sizes import Sizes
from xpot_fitsnap.importing.importer import FitsnapImporter
from xpot_fitsnap.importing.study import study_from_fitsnap
from xpot_fitsnap.options import FitsnapOptions
from xpot_fitsnap.writing.export import write_fitsnap
from xpot_fitsnap.writing.plan import Plan
from xpot_fitsnap.writing.sections import fitsnap_settings
from xpot_lammps_session.session import NKTV2P
from xpot_lammps_session.testing import small_data

from xpot_core.api import InputError, NoOptions, resolve

INPUT = """
[BISPECTRUM]
type = In P
numTypes = 2
[CALCULATOR]
stress = 1
[SCRAPER]
scraper = {scraper}
[PATH]
dataPath = data
[GROUPS]
group_sections = name training_size testing_size eweight fweight vweight
group_types = str float float float float float
{groups}
"""


def written(folder: Path, scraper: str, groups: str) -> Path:
    path = folder / "x.in"
    path.write_text(INPUT.format(scraper=scraper, groups=groups))
    return path


def json_data(folder: Path, group: str, n: int) -> None:
    """One file for each structure, its energy the number of the file."""
    own = folder / "data" / group
    own.mkdir(parents=True)
    for i in range(n):
        record = {
            "AtomTypes": ["In"],
            "Positions": [[0, 0, 0]],
            "Lattice": (9 * np.eye(3)).tolist(),
            "Energy": i,
        }
        (own / f"{i}.json").write_text(json.dumps({"Dataset": {"Data": [record]}}))


def test_what_fitsnap_tests_is_not_trained_on(tmp_path):
    json_data(tmp_path, "whole", 3)
    json_data(tmp_path, "parts", 10)
    json_data(tmp_path, "tested", 2)
    path = written(
        tmp_path, "JSON", "whole = 1.0 0.0 1 1 0\nparts = 0.5 0.2 2 1 0\ntested = 0.0 1.0 1000 1000 0"
    )
    study = study_from_fitsnap(str(path))
    assert study["fitter"]["snap"]["eweight"] == {"whole": 1.0, "parts": 2.0}
    assert study["data"]["test"] == "x_test.xyz"
    order = [int(Path(n).stem) for n in os.listdir(tmp_path / "data" / "parts")]
    for name, parts, others in (("x_train.xyz", order[:5], 3), ("x_test.xyz", order[5:7], 2)):
        frames = read(tmp_path / name, ":")
        found = [int(a.info["REF_energy"]) for a in frames if a.info["config_type"] == "parts"]
        assert sorted(found) == sorted(parts)
        assert len(frames) == len(parts) + others


def test_sizes_are_counted_as_fitsnap_counts_them():
    config = ConfigParser()
    config.read_string(
        "[GROUPS]\ngroup_sections = name training_size testing_size\ngroup_types = str int float\n"
    )

    def counts(n, training, testing=0.0, column="training_size"):
        sizes = Sizes(config, {"a": {column: training, "testing_size": testing}}, [])
        return tuple(len(part) for part in sizes.split("a", range(n)))

    assert counts(10, 0.26) == (3, 0)
    assert counts(10, 0.01, 0.01) == (1, 1)
    assert counts(10, 1) == (1, 0)  # an int column counts
    assert counts(10, 1.0, column="size") == (10, 0)
    assert counts(10, 0.7, column="size") == (7, 3)  # the rest is tested
    assert counts(10, 0.8, 0.8) == (8, 2)
    with pytest.raises(InputError, match="asks for 11 of 10"):
        counts(10, 11)


def test_random_sampling_draws_what_fitsnap_draws():
    import random

    config = ConfigParser()
    config.read_string("[GROUPS]\nrandom_sampling = 1\nrandom_seed = 7\n")
    sizes = Sizes(config, {"a": {"size": 0.5}, "b": {"size": 0.5}}, [])
    found = [sizes.split(g, range(8))[0] for g in "ab"]
    random.seed(7)
    for own in found:
        items = list(range(8))
        random.shuffle(items)
        assert own == items[:4]


@pytest.mark.parametrize(
    ("unit", "bar"), [("", 1.0), ("property_array = Stress: pressure kbar metal", 1000.0)]
)
def test_groups_of_xyz_files(unit, bar, tmp_path):
    (tmp_path / "data").mkdir()
    frames = [f for f in small_data(9, 0, 0).frames if f.virial is not None][:4]
    for name, own in (("one.xyz", frames[:1]), ("more.extxyz", frames[1:])):
        images = []
        for frame in own:
            atoms = frame.atoms.copy()
            atoms.info |= {
                "energy": frame.energy,
                "stress": (frame.virial * NKTV2P / atoms.get_volume() / bar).ravel(),
            }
            atoms.arrays["forces"] = np.array(frame.forces)
            images.append(atoms)
        write(tmp_path / "data" / name, images, format="extxyz")
    path = written(tmp_path, f"XYZ\n{unit}", "one = 1.0 0.0 1 1 1e-8\nmore = 0.67 0.33 1 1 1e-8")
    study_from_fitsnap(str(path))
    found = [*read(tmp_path / "x_train.xyz", ":"), *read(tmp_path / "x_test.xyz", ":")]
    assert [a.info["config_type"] for a in found] == ["one", "more", "more", "more"]
    for atoms, frame in zip(found, frames, strict=True):
        assert atoms.info["REF_energy"] == pytest.approx(frame.energy)
        assert atoms.arrays["REF_forces"] == pytest.approx(frame.forces, abs=1e-7)
        assert atoms.info["REF_virial"] == pytest.approx(frame.virial.ravel(), rel=1e-6, abs=1e-7)


def test_smartweights_are_divided(tmp_path):
    json_data(tmp_path, "a", 4)
    path = written(tmp_path, "JSON", "smartweights = 1\na = 1.0 0.0 100 3 6e-4")
    options = study_from_fitsnap(str(path))["fitter"]["snap"]
    weights = [options[name] for name in ("eweight", "fweight", "vweight")]
    assert weights == pytest.approx([25.0, 0.25, 0.25])


def test_sections_of_older_versions(tmp_path):
    (tmp_path / "groups.in").write_text("# name size eweight fweight vweight\nA 1.0 10 2 0\n")
    (tmp_path / "old.in").write_text(
        "[BISPECTRUM]\nnumTypes = 2\ntwojmax = 6\nwj1 = 1.0\nwj2 = 0.8\ntype1 = In\ntype2 = P\nBOLTZT = 0\n"
        "[MODEL]\nbzeroflag = 1\nquadraticflag = 1\nsolver = SVD\ncompute_dbvb = 1\n"
        "[PATH]\njsonPath = JSON\ngroupFile = groups.in\n[OUTFILE]\nconfigs = c.gz\n"
    )
    study = study_from_fitsnap(str(tmp_path / "old.in"))
    options = study["fitter"]["snap"]
    assert options["wj"] == {"In": 1.0, "P": 0.8}
    assert options["quadratic"] is options["bzero"] is True
    assert options["eweight"] == 10.0


def test_a_text_is_an_input_of_the_working_folder(tmp_path, monkeypatch):
    json_data(tmp_path, "a", 2)
    monkeypatch.chdir(tmp_path)
    text = INPUT.format(scraper="JSON", groups="a = 1.0 0.0 1 1 0") + "[OUTFILE]\npotential = pot\n"
    assert study_from_fitsnap(text)["data"]["train"] == "pot_train.xyz"
    assert len(read("pot_train.xyz", ":")) == 2


numbers = st.floats(0.3, 3.0).map(lambda x: round(x, 6))
by_element = numbers | st.fixed_dictionaries({"In": numbers, "P": numbers})
farther = st.floats(3.1, 4.0).map(lambda x: round(x, 6))
PAIRS = ("In-In", "In-P", "P-P")


@given(
    st.fixed_dictionaries(
        {
            "twojmax": st.integers(0, 8)
            | st.fixed_dictionaries({"In": st.integers(0, 8), "P": st.integers(0, 8)}),
            "quadratic": st.booleans(),
            "chem": st.booleans(),
            "bnorm": st.booleans(),
            "wselfall": st.booleans(),
            "bzero": st.booleans(),
            "rcutfac": numbers,
            "rfac0": numbers,
            "rmin0": numbers.map(lambda x: x / 10),
            "wj": by_element,
            "radelem": by_element,
            "switch": st.booleans(),
            "constant": st.booleans(),
            "sinner": st.none() | by_element,
            "dinner": by_element,
            "zbl_inner": numbers | st.fixed_dictionaries(dict.fromkeys(PAIRS, numbers)),
            "zbl_outer": farther | st.fixed_dictionaries(dict.fromkeys(PAIRS, farther)),
            "eweight": numbers,
            "fweight": st.fixed_dictionaries(dict.fromkeys(("bulk", "cluster", "strained"), numbers)),
            "vweight": numbers,
            "energy_shift": st.fixed_dictionaries({"In": numbers, "P": numbers}),
        }
    ),
    st.sampled_from(
        [
            {"reference": "none"},
            {"reference": "zbl"},
            {"reference": "lammps", "pair_style": "zbl 3.0 4.0", "pair_coeff": ["* * 49 15"]},
        ]
    ),
    st.just(0.0) | numbers,
)
@settings(max_examples=30, deadline=None)
def test_import_of_an_export_is_the_identity(tmp_path_factory, given, reference, alpha):
    data = small_data(9, 0, 0)
    folder = tmp_path_factory.mktemp("round")
    try:
        options = FitsnapOptions(**given, **reference)
    except ValidationError:  # FitSNAP has no such fit
        return
    study = study_from_fitsnap(str(folder / write_fitsnap(folder, options, data, alpha=alpha)))
    found = dict(study["fitter"]["snap"])
    assert (found.pop("ridge"), found.pop("absolute_ridge", 0.0), found.pop("solver")) == (0.0, alpha, "qr")
    back = FitsnapOptions(**found)
    plan = Plan.of(options, data)
    assert fitsnap_settings(back, data.elements) == plan.settings
    assert back.energy_shift == options.energy_shift
    for group, weights in plan.table.items():
        assert resolve(back.eweight, group) == pytest.approx(weights.eweight)
        assert resolve(back.fweight, group) == pytest.approx(weights.fweight)
        assert resolve(back.vweight, group) == pytest.approx(weights.vweight * 1e4)


def test_other_solvers_are_lost_and_said(tmp_path):
    json_data(tmp_path, "a", 2)
    path = written(tmp_path, "JSON", "a = 1.0 0.0 1 1 0")
    for solver, said in [("SVD", 0), ("ANL", 0), ("RIDGE", 0), ("ARD", 1), ("LASSO", 1)]:
        path.write_text(f"{path.read_text().partition('[SOLVER]')[0]}[SOLVER]\nsolver = {solver}\n")
        found = FitsnapImporter(NoOptions()).load(str(path))
        assert [solver in text.upper() for text in found.lost] == [True] * said
        assert found.study["fitter"]["snap"]["solver"] == "qr"
        assert set(found.study) >= {"study", "data", "fitter"}
        assert not {"#", "lost"} & set(found.study)


@pytest.mark.parametrize(
    ("sections", "alpha", "lost"),
    [
        ("solver = RIDGE\n[RIDGE]\nalpha = 2.5e-4\nlocal_solver = 0\n", 2.5e-4, 0),
        ("solver = RIDGE\n", 1e-8, 0),
        ("solver = ANL\ncov_nugget = 1e-6\n", 1e-6, 0),
        ("solver = SVD\n[RIDGE]\nalpha = 2.5e-4\n", 0.0, 0),
        ("solver = RIDGE\n[RIDGE]\nalpha = 2.5e-4\n[EXTRAS]\napply_transpose = 1\n", 0.0, 1),
    ],
)
def test_penalties_of_fitsnap_are_absolute(sections, alpha, lost, tmp_path):
    json_data(tmp_path, "a", 2)
    path = written(tmp_path, "JSON", "a = 1.0 0.0 1 1 0")
    path.write_text(f"{path.read_text()}[SOLVER]\n{sections}")
    found = FitsnapImporter(NoOptions()).load(str(path))
    assert found.study["fitter"]["snap"].get("absolute_ridge", 0.0) == alpha
    assert found.study["fitter"]["snap"]["ridge"] == 0.0
    assert len(found.lost) == lost
    assert not any("cov_nugget" in n for n in found.notes)
    assert not any("RIDGE is not translated" in n for n in found.notes) or "SVD" in sections


def test_weights_of_boltzmann_that_are_no_numbers(tmp_path):
    """Weights as people give them, taken as energies, are too large to square."""
    json_data(tmp_path, "a", 2)
    json_data(tmp_path, "b", 2)
    path = written(tmp_path, "JSON", "BOLTZT = 300\na = 1.0 0.0 100 1 0\nb = 1.0 0.0 99.9 2 0")
    found = FitsnapImporter(NoOptions()).load(str(path))
    options = found.study["fitter"]["snap"]
    assert options["boltzmann_temperature"] == 300.0
    assert max(options["eweight"].values()) == 1.0
    ratio = options["eweight"]["b"] / options["eweight"]["a"]
    assert options["fweight"]["b"] / options["fweight"]["a"] == pytest.approx(2.0 * ratio)
    assert any("divided by the largest" in note for note in found.notes)


def outcar(energies, repeated=False):
    """Two atoms, as much as VASP writes of them; stresses of 5 kB."""
    text = f""" vasp.6.3.0
 POTCAR:    PAW_PBE In 08Apr2002
 POTCAR:    PAW_PBE P 06Sep2000
 POTCAR:    PAW_PBE In 08Apr2002
 POTCAR:    PAW_PBE P 06Sep2000
   VRHFIN =In: s2p1
   VRHFIN =P : s2p3
   TITEL  = PAW_PBE In 08Apr2002
   TITEL  = PAW_PBE P 06Sep2000
   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=     16
   number of dos      NEDOS =    301   number of ions     NIONS =      2
   ISPIN  =      1    spin polarized calculation?
   NSW    =      {int(repeated) * 5}    number of steps for IOM
   IBRION =     -1    ionic relax: 0-MD 1-quasi-New 2-CG
   ions per type =               1   1
 k-points in reciprocal lattice and weights: K-Points
   0.00000000  0.00000000  0.00000000       1.000

"""
    for i, energy in enumerate(energies):
        text += f"""
--------------------------------------- Iteration      {i + 1}(   1)  ---------------------------------------
  energy without entropy =      -99.0  energy(sigma->0) =      -99.0
------------------------ aborting loop because EDIFF is reached ----------------------------------------
  FORCE on cell =-STRESS in cart. coord.  units (eV):
  in kB       5.00000     5.00000     5.00000     0.00000     0.00000     0.00000
  external pressure =        5.00 kB  Pullay stress =        0.00 kB

  VOLUME and BASIS-vectors are now :
      direct lattice vectors                 reciprocal lattice vectors
     5.000000000  0.000000000  0.000000000     0.200000000  0.000000000  0.000000000
     0.000000000  5.000000000  0.000000000     0.000000000  0.200000000  0.000000000
     0.000000000  0.000000000  5.000000000     0.000000000  0.000000000  0.200000000

 POSITION                                       TOTAL-FORCE (eV/Angst)
 -----------------------------------------------------------------------------------
      0.00000      0.00000      0.00000         0.100000      0.000000      0.000000
      2.50000      2.50000      {2.5 - 0.01 * i:.5f}        -0.100000      0.000000      0.000000
 -----------------------------------------------------------------------------------

  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
  ---------------------------------------------------
  free  energy   TOTEN  =      {energy - 0.5:.6f} eV

  energy  without entropy=     {energy:.6f}  energy(sigma->0) =      {energy - 0.25:.6f}
"""
    return text


@pytest.mark.parametrize(
    ("groups", "shift", "energies"),
    [
        ("", "", [-8.0, -8.1, -7.0]),
        ("vasp_use_TOTEN = True\n", "", [-8.5, -8.6, -7.5]),
        ("", "[TRAINSHIFT]\nIn = 0.5\nP = 0.25\n", [-7.25, -7.35, -6.25]),
    ],
)
def test_files_of_vasp(groups, shift, energies, tmp_path):
    """The last step alone of a file in which VASP repeats a structure; kB, and energies as FitSNAP takes them."""
    for name, text in (("1", outcar([-8.0, -8.1])), ("2", outcar([-6.0, -7.0], repeated=True))):
        (tmp_path / "data" / "hot" / name).mkdir(parents=True)
        (tmp_path / "data" / "hot" / name / "OUTCAR").write_text(text)
    path = written(tmp_path, "VASP", f"{groups}hot = 1.0 0.0 10 1 1e-8")
    path.write_text(path.read_text() + shift)
    found = FitsnapImporter(NoOptions()).load(str(path))
    assert not any("TRAINSHIFT" in note for note in found.notes)
    frames = read(tmp_path / "x_train.xyz", ":")
    assert [a.info["REF_energy"] for a in frames] == pytest.approx(energies)
    for atoms in frames:
        assert atoms.get_chemical_symbols() == ["In", "P"]
        assert atoms.arrays["REF_forces"][0, 0] == pytest.approx(0.1)
        assert atoms.info["REF_virial"] == pytest.approx(np.eye(3).ravel() * 5000.0 * 125.0 / NKTV2P)
