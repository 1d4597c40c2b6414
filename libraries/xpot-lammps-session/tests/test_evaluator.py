"""Energies, forces and virials of a potential of LAMMPS, in any cell and from any folder."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from xpot_lammps_session.calculator import calculator
from xpot_lammps_session.evaluator import PotentialEvaluator
from xpot_lammps_session.include import include_commands
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_lammps_session.session import LammpsSession, shipped_potentials
from xpot_lammps_session.testing import cells

from xpot_core.api import FittedPotential, Frame, InputError, PredictError

INCLUDE = """# Stillinger-Weber silicon
variable potential_dir index .
pair_style sw
pair_coeff * * ${potential_dir}/Si.sw Si  # the file beside this one
"""


def stillinger_weber(folder):
    folder.mkdir(exist_ok=True)
    (folder / "Si.mod").write_text(INCLUDE)
    (folder / "Si.sw").write_text((shipped_potentials() / "Si.sw").read_text())
    facts = {"units": "metal", "include": "Si.mod", "directory_variable": "potential_dir"}
    files = {"include": "Si.mod", "parameters": "Si.sw"}
    return FittedPotential.from_files("sw", folder, files, ["Si"], metadata={"lammps": facts})


@pytest.fixture
def potential(tmp_path):
    return stillinger_weber(tmp_path / "potential")


def frame(atoms, source="x.xyz#3"):
    return Frame(atoms, None, None, None, "g", source)


def test_energy_of_the_crystal_is_that_of_plain_lammps(potential):
    with LammpsSession() as session:
        session.commands(
            [
                "units metal",
                "lattice diamond 5.43",
                "region box block 0 2 0 2 0 2",
                "create_box 1 box",
                "create_atoms 1 box",
                "mass 1 28.0855",
                f"variable potential_dir index {potential.directory}",
                f"include {potential.path('include')}",
            ]
        )
        session.run()
        energy = session.thermo("pe")
    with PotentialEvaluator.of(potential) as evaluator:
        assert evaluator.evaluate(bulk("Si", a=5.43))[0] / 2 == pytest.approx(energy / 64, abs=1e-10)


@pytest.mark.parametrize("name", list(cells()))
def test_forces_and_virial_are_derivatives(potential, name):
    atoms = cells()[name]
    rng = np.random.default_rng(2)
    direction, strain = rng.normal(size=(len(atoms), 3)), rng.normal(size=(3, 3))
    strain += strain.T
    h = 1e-5
    with PotentialEvaluator.of(potential) as evaluator:
        _, forces, virial = evaluator.evaluate(atoms)
        moved, strained = [], []
        for sign in (1, -1):
            other = atoms.copy()
            other.positions += sign * h * direction
            moved.append(evaluator.evaluate(other)[0])
            other = atoms.copy()
            other.set_cell(np.array(atoms.cell) @ (np.eye(3) + sign * h * strain))
            other.positions = atoms.positions @ (np.eye(3) + sign * h * strain)
            strained.append(evaluator.evaluate(other)[0])
    size = max(np.abs(virial).max(), np.abs(forces).max(), 1.0)
    assert (forces * direction).sum() == pytest.approx(-(moved[0] - moved[1]) / (2 * h), abs=1e-5 * size)
    assert (virial * strain).sum() == pytest.approx(-(strained[0] - strained[1]) / (2 * h), abs=1e-5 * size)


def test_calculator_and_predictor_agree(potential, tmp_path):
    names = ("cubic", "rotated", "slab", "molecule")
    found = LammpsPredictor().predict(potential, [frame(cells()[n]) for n in names], directory=tmp_path)
    for i, name in enumerate(names):
        atoms = cells()[name]
        atoms.calc = calculator(potential)
        assert atoms.get_potential_energy() == pytest.approx(found.energies[i], abs=1e-10)
        assert np.allclose(atoms.get_forces(), found.forces[i], atol=1e-10)
        if name == "molecule":
            assert np.isnan(found.virials[i]).all()
            assert "stress" not in atoms.calc.results
        else:
            stress = atoms.get_stress(voigt=False)
            assert np.allclose(-stress * atoms.get_volume(), found.virials[i], atol=1e-9)


@pytest.mark.parametrize("name", ["my potential", "Größe 模型", "it's ${x}"])
def test_folder_of_any_name(name, tmp_path):
    with PotentialEvaluator.of(stillinger_weber(tmp_path / name)) as evaluator:
        assert np.isfinite(evaluator.evaluate(cells()["cubic"])[0])


def test_faults_are_told(potential, tmp_path):
    with pytest.raises(InputError, match=r"x\.xyz#3.*Cu"):
        LammpsPredictor().predict(
            potential, [frame(Atoms("Cu", cell=np.eye(3) * 4, pbc=True))], directory=tmp_path
        )
    twice = Atoms("Si2", positions=np.zeros((2, 3)), cell=np.eye(3) * 5, pbc=True)
    with pytest.raises(PredictError, match=r"x\.xyz#3.*not finite"):
        LammpsPredictor().predict(potential, [frame(twice)], directory=tmp_path)
    real = replace(potential, metadata={"lammps": {"units": "real", "include": "Si.mod"}})
    with pytest.raises(InputError, match="units real"):
        PotentialEvaluator.of(real)
    potential.path("parameters").write_text("nonsense 1\n")
    with pytest.raises(PredictError, match=r"LAMMPS: .*Stillinger|LAMMPS: .*parameter"):
        LammpsPredictor().predict(potential, [frame(cells()["cubic"])], directory=tmp_path)


def test_commands_of_an_include(potential):
    assert include_commands(potential.path("include"), "my folder") == [
        "pair_style sw",
        'pair_coeff * * "my folder/Si.sw" Si',
    ]
