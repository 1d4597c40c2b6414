"""The numbers of the static tests against LAMMPS run by itself, by plain commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from lammps_cases import DIAMOND, qsnap, request, run_lammps, silicon_frames, stillinger_weber
from xpot_lammps.crystals.lattice import cubic_axes
from xpot_lammps.validators.elastic import ElasticOptions, ElasticValidator
from xpot_lammps.validators.equation_of_state import EosOptions, EosValidator
from xpot_lammps.validators.phonons import PhononOptions, PhononValidator
from xpot_lammps.validators.vacancy import VacancyOptions, VacancyValidator
from xpot_lammps_session.session import LammpsSession

from xpot_core.api import FittedPotential

MAKE = {"sw": stillinger_weber, "qsnap": qsnap}


def plain(potential: FittedPotential, before: list[str]) -> dict[str, float]:
    """A relaxed diamond cell of eight atoms, some commands, and a relaxation of the atoms."""
    folder = potential.directory
    return run_lammps(
        [
            "units metal",
            "atom_style atomic",
            "boundary p p p",
            "box tilt large",
            "lattice diamond 5.43",
            "region box prism 0 1 0 1 0 1 0 0 0",
            "create_box 1 box",
            "create_atoms 1 box",
            "mass 1 28.085",
            f"variable potential_dir index {folder}",
            f"include {folder}/potential.mod",
            "neighbor 1.0 bin",
            "thermo_style custom step pe press pxx pyy pzz pyz pxz pxy lx vol temp etotal",
            "fix relax all box/relax iso 0.0 vmax 0.001",
            "min_modify line quadratic",
            "minimize 0.0 1.0e-8 500 5000",
            "unfix relax",
            *before,
            "minimize 0.0 1.0e-8 500 5000",
        ]
    )


@pytest.fixture(params=sorted(MAKE))
def potential(request: pytest.FixtureRequest, tmp_path: Path) -> FittedPotential:
    return MAKE[request.param](tmp_path / "potential")


def test_lattice_bulk_modulus_and_elastic_constants_are_those_of_lammps(
    potential: FittedPotential, tmp_path: Path
) -> None:
    size = 0.002
    rest = plain(potential, [])

    def slope(command: str, keyword: str) -> float:
        ends = [plain(potential, [command.format(sign * size)])[keyword] for sign in (1, -1)]
        return -(ends[0] - ends[1]) / (2 * size) * 1e-4

    stretch = "change_box all x delta 0 $({}*lx) remap units box"
    shear = "change_box all yz delta $({}*lz) remap units box"
    wanted = {
        "c11": slope(stretch, "pxx"),
        "c12": slope(stretch, "pyy"),
        "c44": slope(shear, "pyz"),
    }
    elastic = ElasticValidator(ElasticOptions(structure=DIAMOND, strain=size))
    found = elastic.validate(potential, request(tmp_path / "elastic"))
    assert found.passed
    assert found.values["lattice_constant"] == pytest.approx(rest["lx"], rel=1e-4)
    for name, value in wanted.items():
        assert found.values[name] == pytest.approx(value, rel=5e-3), name
    assert found.values["bulk_modulus"] == pytest.approx((wanted["c11"] + 2 * wanted["c12"]) / 3, rel=5e-3)

    eos = EosValidator(EosOptions(structure=DIAMOND, strain=0.005))
    found = eos.validate(potential, request(tmp_path / "eos"))
    assert found.values["lattice_constant"] == pytest.approx(rest["lx"], rel=2e-4)
    assert found.values["energy_per_atom"] == pytest.approx(rest["pe"] / 8, abs=1e-5)
    assert found.values["bulk_modulus"] == pytest.approx((wanted["c11"] + 2 * wanted["c12"]) / 3, rel=0.02)


def test_stillinger_weber_has_its_published_constants(tmp_path: Path) -> None:
    """C11 151.4, C12 76.4, C44 56.4 GPa; vacancy 4.34 eV: the energy of two bonds."""
    potential = stillinger_weber(tmp_path / "potential")
    found = ElasticValidator(ElasticOptions(structure=DIAMOND)).validate(potential, request(tmp_path / "a"))
    for name, value in {"c11": 151.4, "c12": 76.4, "c44": 56.4}.items():
        assert found.values[name] == pytest.approx(value, rel=5e-3)
    assert found.units.keys() == found.values.keys()
    vacancy = VacancyValidator(VacancyOptions(structure=DIAMOND, rattle=0.0))
    found = vacancy.validate(potential, request(tmp_path / "b"))
    assert found.values["formation_energy_unrelaxed"] == pytest.approx(2 * 2.1683, rel=1e-3)


@pytest.mark.parametrize(
    ("crystal", "cubic"), [("diamond", True), ("diamond", False), ("bcc", False), ("sc", False)]
)
def test_cubic_axes_are_found_in_any_cell(crystal: str, cubic: bool) -> None:
    rng = np.random.default_rng(4)
    straight = bulk("Si", crystal, a=5.43, **({"cubic": True} if cubic else {}))
    assert cubic_axes(straight) == pytest.approx(np.eye(3))
    for _ in range(20):
        atoms = straight.copy()
        skew = np.eye(3)
        skew[0, 1:], skew[1, 2] = rng.integers(-2, 3, 2), rng.integers(-2, 3)
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        atoms.set_cell(skew[rng.permutation(3)] @ np.array(straight.cell) @ turn)
        axes = cubic_axes(atoms)
        assert axes is not None
        assert np.linalg.det(axes) == pytest.approx(1.0)
        # the same axes but for their order and sign
        assert np.sort(np.abs(axes @ turn.T)) == pytest.approx(np.tile([0.0, 0.0, 1.0], (3, 1)), abs=1e-6)
    atoms.set_cell(np.diag([5.0, 5.0, 6.0]))
    assert cubic_axes(atoms) is None


@pytest.mark.parametrize("cubic", [True, False])
def test_elastic_constants_of_a_turned_crystal(tmp_path: Path, cubic: bool) -> None:
    atoms = bulk("Si", a=5.43, cubic=cubic)
    # the primitive cell as many files have it: a along x
    atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
    if cubic:
        atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    write(tmp_path / "turned.xyz", atoms)
    options = ElasticOptions(structure={"file": str(tmp_path / "turned.xyz")})
    potential = stillinger_weber(tmp_path / "potential")
    found = ElasticValidator(options).validate(potential, request(tmp_path / "a"))
    for name, value in {"c11": 151.4, "c12": 76.4, "c44": 56.4, "lowest_eigenvalue": 56.4}.items():
        assert found.values[name] == pytest.approx(value, rel=5e-3), name


@pytest.mark.slow
def test_elastic_constants_do_not_depend_on_the_cell_that_is_chosen(tmp_path: Path) -> None:
    potential = stillinger_weber(tmp_path / "potential")
    values = []
    for cubic in (True, False):
        options = ElasticOptions(structure={**DIAMOND, "cubic": cubic})
        found = ElasticValidator(options).validate(potential, request(tmp_path / str(cubic)))
        values.append([found.values[n] for n in ("c11", "c12", "c44", "lattice_constant")])
    assert np.allclose(*values, rtol=2e-3)


@pytest.mark.slow
def test_engines_of_phonons_agree_and_gamma_is_that_of_lammps(tmp_path: Path) -> None:
    potential = stillinger_weber(tmp_path / "potential")
    cell = {**DIAMOND, "cubic": False}
    ase = PhononValidator(PhononOptions(structure=cell)).validate(potential, request(tmp_path / "ase"))
    assert ase.passed, ase.summary
    # Gamma of the diamond structure from LAMMPS' forces: the two sublattices against each other
    step = 0.005
    force = run_sublattice(potential, step)
    mass, unit = 28.085, 1.602176634e-19 / 1e-20 / 1.66053906660e-27
    # each atom moves against the other: the relative displacement is `step`
    frequency = np.sqrt(2 * force / step * unit / mass) / (2 * np.pi) * 1e-12
    assert ase.values["gamma_optical"] == pytest.approx(frequency, rel=5e-3)
    pytest.importorskip("phonopy")
    phonopy = PhononValidator(PhononOptions(structure=cell, engine="phonopy"))
    other = phonopy.validate(potential, request(tmp_path / "phonopy"))
    for name in ("gamma_optical", "highest_frequency"):
        assert other.values[name] == pytest.approx(ase.values[name], rel=2e-3)


def run_sublattice(potential: FittedPotential, step: float) -> float:
    """Restoring force (eV/Å) on each atom when one sublattice of diamond is moved by `step` (Å)."""
    folder = potential.directory
    forces = []
    for sign in (1, -1):
        with LammpsSession() as session:
            session.commands(
                [
                    "units metal",
                    "atom_style atomic",
                    "atom_modify map yes sort 0 0",
                    "lattice diamond 5.43095",
                    "region box block 0 2 0 2 0 2",
                    "create_box 1 box",
                    "create_atoms 1 box",
                    "mass 1 28.085",
                    f"variable potential_dir index {folder}",
                    f"include {folder}/potential.mod",
                    # the sublattice at multiples of half the lattice constant
                    "variable own atom (abs(x/2.715475-round(x/2.715475))<0.01)",
                    "group own variable own",
                    f"displace_atoms own move {sign * step} 0 0 units box",
                    "compute f own reduce sum fx",
                    "variable n equal count(own)",
                    "thermo_style custom step pe c_f",
                    "run 0",
                ]
            )
            total = float(session.lmp.extract_compute("f", 0, 0))
            forces.append(total / float(session.lmp.extract_variable("n")))
    return (forces[1] - forces[0]) / 2


@pytest.mark.slow
def test_references_of_the_user_and_of_frames_decide(tmp_path: Path) -> None:
    potential = stillinger_weber(tmp_path / "potential")
    good = {"lattice_constant": 5.431, "bulk_modulus": 101.4}
    options = EosOptions(structure=DIAMOND, reference=good, tolerance=0.02)
    found = EosValidator(options).validate(potential, request(tmp_path / "good"))
    assert found.passed, found.summary
    assert abs(found.values["bulk_modulus_error"]) < 0.02
    options = EosOptions(
        structure=DIAMOND, reference={"bulk_modulus": 90.0}, tolerances={"bulk_modulus": 0.05}
    )
    found = EosValidator(options).validate(potential, request(tmp_path / "bad"))
    assert not found.passed
    assert "bulk_modulus" in found.summary

    frames = []
    for a in np.linspace(5.5, 5.9, 7):
        atoms = bulk("Si", cubic=True, a=float(a))
        energy = 8 * (-5.0 + 2.0 * (a / 5.7 - 1) ** 2 * 9)
        frames.append(replace(silicon_frames()[0], atoms=atoms, energy=energy, group="EOS"))
    options = EosOptions(structure=DIAMOND, reference_group="EOS", tolerance=0.02)
    found = EosValidator(options).validate(potential, request(tmp_path / "frames", tuple(frames)))
    assert not found.passed
    assert found.values["volume_per_atom_error"] == pytest.approx((5.431 / 5.7) ** 3 - 1, abs=0.01)
