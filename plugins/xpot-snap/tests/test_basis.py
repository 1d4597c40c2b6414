"""Rows of the design matrix against finite differences, rotated copies and LAMMPS' own potential."""

import itertools
from contextlib import closing

import numpy as np
import pytest
from ase import Atoms
from snap_cases import frame_of, values_of
from xpot_lammps_session.box import lammps_box
from xpot_lammps_session.evaluator import PotentialEvaluator
from xpot_lammps_session.testing import DIAMOND, cells, rattled
from xpot_snap import quadratic
from xpot_snap.basis import SnapBasis
from xpot_snap_model.columns import ColumnLayout
from xpot_snap_model.files import write_potential
from xpot_snap_model.settings import DescriptorSettings, Reference

from xpot_core.api import FitError

ZBL = Reference(("zbl 2.0 2.6",), ("1 1 zbl 14 14",))
PLAIN = DescriptorSettings(("Si",), (4,), 3.7)
ELEMENTS = ("In", "P")
VARIANTS = {
    "linear": DescriptorSettings(ELEMENTS, (4, 4), 3.9, wj=(1.0, 0.7), radelem=(0.5, 0.42)),
    "quadratic": DescriptorSettings(ELEMENTS, (3, 3), 3.9, wj=(1.0, 0.7), quadratic=True),
    "no-bzero": DescriptorSettings(ELEMENTS, (4, 4), 3.9, bzero=False),
    "chem": DescriptorSettings(ELEMENTS, (2, 2), 3.9, chem=True, bnorm=True, wselfall=True),
    "chem-quadratic": DescriptorSettings(ELEMENTS, (1, 1), 3.9, chem=True, quadratic=True, bzero=False),
    "twojmax-per-element": DescriptorSettings(ELEMENTS, (2, 5), 3.9, quadratic=True),
    "inner": DescriptorSettings(ELEMENTS, (4, 4), 3.9, sinner=(2.2, 2.4), dinner=(0.3, 0.2)),
    "no-switch": DescriptorSettings(ELEMENTS, (3, 3), 3.9, switch=False, rmin0=0.05, rfac0=0.8),
    "zbl": DescriptorSettings(
        ELEMENTS,
        (4, 4),
        3.9,
        reference=Reference(("zbl 2.4 3.1",), ("1 1 zbl 49 49", "1 2 zbl 49 15", "2 2 zbl 15 15")),
    ),
    "two-references": DescriptorSettings(
        ELEMENTS,
        (4, 4),
        3.9,
        reference=Reference(
            ("zbl 2.4 3.1", "lj/cut 4.5"),
            ("1 1 zbl 49 49", "1 2 zbl 49 15", "2 2 zbl 15 15", "* * lj/cut 0.01 2.3"),
        ),
    ),
}


def finite_differences(settings, atoms, elements, beta):
    """Forces (n, 3) and virial (3, 3) from differences of the energy row."""
    with closing(SnapBasis(settings)) as engine:

        def energy(a):
            rows = engine.rows(frame_of(a))
            return float(rows.energy @ beta)

        h = 1e-4
        forces = np.zeros((len(atoms), 3))
        for i, k in itertools.product(range(len(atoms)), range(3)):
            values = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[i, k] += sign * h
                values.append(energy(moved))
            forces[i, k] = -(values[0] - values[1]) / (2 * h)
        virial = np.zeros((3, 3))
        for i, j in itertools.product(range(3), range(3)):
            values = []
            for sign in (1, -1):
                strain = np.eye(3)
                strain[i, j] += sign * h
                strained = atoms.copy()
                strained.set_cell(np.array(atoms.cell) @ strain, scale_atoms=False)
                strained.positions = atoms.positions @ strain
                values.append(energy(strained))
            virial[i, j] = -(values[0] - values[1]) / (2 * h)
    return forces, 0.5 * (virial + virial.T)


@pytest.mark.parametrize("name", list(cells()))
def test_rows_are_derivatives_of_the_energy(name):
    atoms = cells()[name]
    beta = np.random.default_rng(1).normal(size=ColumnLayout.of(PLAIN).size)
    with closing(SnapBasis(PLAIN)) as engine:
        _, forces, virial = values_of(engine.rows(frame_of(atoms)), beta)
    expected_forces, expected_virial = finite_differences(PLAIN, atoms, ("Si",), beta)
    size = max(np.abs(expected_virial).max(), 1.0)
    assert np.abs(forces - expected_forces).max() < 1e-6 * size
    assert np.abs(virial - expected_virial).max() < 1e-6 * size


@pytest.mark.parametrize("name", ["cubic", "skewed", "tiny", "slab", "molecule"])
def test_rotated_copies_have_rotated_rows(name):
    atoms = cells()[name]
    rng = np.random.default_rng(3)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    turned = atoms.copy()
    turned.set_cell(np.array(atoms.cell) @ rotation)
    turned.positions = atoms.positions @ rotation
    settings = DescriptorSettings(("Si",), (4,), 3.7, quadratic=True, reference=ZBL)
    beta = rng.normal(size=ColumnLayout.of(settings).size)
    with closing(SnapBasis(settings)) as engine:
        energy, forces, virial = values_of(engine.rows(frame_of(atoms)), beta)
        energy2, forces2, virial2 = values_of(engine.rows(frame_of(turned)), beta)
    scale = np.abs(forces).max()
    assert energy2 == pytest.approx(energy, rel=1e-10)
    assert np.abs(forces2 - forces @ rotation).max() < 1e-9 * scale
    assert np.abs(virial2 - rotation.T @ virial @ rotation).max() < 1e-9 * max(np.abs(virial).max(), 1)


def two_elements(seed=2):
    atoms = rattled(
        "InPInPInPInP", np.eye(3) * 5.83 + [[0, 0, 0.4], [0.7, 0, 0], [0, 0.3, 0]], DIAMOND, seed=seed
    )
    return atoms


@pytest.mark.parametrize("name", list(VARIANTS))
def test_lammps_potential_equals_rows(name, tmp_path):
    settings = VARIANTS[name]
    beta = np.random.default_rng(4).normal(size=ColumnLayout.of(settings).size)
    potential = write_potential(
        tmp_path, settings, ColumnLayout.of(settings).expand(beta), {"In": -2.5, "P": 1.25}
    )
    frames = [
        two_elements(),
        Atoms("P2", positions=[(0, 0, 0), (1.9, 0.6, 0.2)], cell=np.eye(3) * 9, pbc=True),
    ]
    with (
        closing(SnapBasis(settings)) as engine,
        PotentialEvaluator(potential.path("include"), potential.elements) as lammps,
    ):
        for atoms in frames:
            rows = engine.rows(frame_of(atoms))
            energy, forces, virial = values_of(rows, beta, fixed=True)
            shift = sum({"In": -2.5, "P": 1.25}[s] for s in atoms.symbols)
            e, f, v = lammps.evaluate(atoms)
            size = max(1.0, np.abs(f).max() / 10)
            assert e / len(atoms) == pytest.approx((energy + shift) / len(atoms), abs=1e-8)
            assert np.abs(f - forces).max() < 1e-6 * size
            assert np.abs(v - virial).max() < 1e-6 * size


def test_reference_is_the_fixed_part():
    atoms = cells()["cubic"]
    with_zbl = DescriptorSettings(("Si",), (4,), 3.7, reference=ZBL)
    with closing(SnapBasis(PLAIN)) as a, closing(SnapBasis(with_zbl)) as b:
        one, two = a.rows(frame_of(atoms)), b.rows(frame_of(atoms))
    assert np.allclose(one.forces, two.forces, rtol=0, atol=1e-9)
    assert one.fixed.forces is None
    assert np.abs(two.fixed.forces).max() > 1e-3
    assert two.fixed.energy > 0.0


def test_columns_of_absent_elements_are_zero():
    settings = VARIANTS["linear"]
    with closing(SnapBasis(settings)) as engine:
        rows = engine.rows(frame_of(Atoms("P2", positions=[(0, 0, 0), (2, 0, 0)])))
        half = int(engine.layout.kept[0].sum())
        assert not rows.energy[:half].any()
        assert not rows.forces[:, :half].any()
        assert rows.energy[half:].any()


def test_layout_labels():
    layout = ColumnLayout.of(DescriptorSettings(("Si",), (6,), 4.0, quadratic=True))
    assert layout.size == 495
    assert layout.labels[:2] == ("Si B[0,0,0]", "Si B[1,0,1]")
    mixed = ColumnLayout.of(VARIANTS["twojmax-per-element"])
    assert mixed.kept[0].sum() == 5 + 15
    assert mixed.n_lammps == 20 + 210


def test_atoms_on_top_of_each_other_are_finite():
    atoms = Atoms("Si2", positions=np.zeros((2, 3)), cell=np.eye(3) * 5, pbc=True)
    with closing(SnapBasis(PLAIN)) as engine:
        assert np.isfinite(engine.rows(frame_of(atoms)).forces).all()


def test_engine_survives_an_error():
    settings = DescriptorSettings(("Si",), (4,), 3.7, reference=Reference(("nonsense",), ()))
    structure = frame_of(cells()["cubic"])
    with closing(SnapBasis(settings)) as engine:
        for _ in range(2):
            with pytest.raises(FitError, match="nonsense"):
                engine.rows(structure)


SUPER = {
    "one-element": (("Si",), DescriptorSettings(("Si",), (4,), 3.6, quadratic=True, reference=ZBL)),
    "two-elements": (
        ELEMENTS,
        DescriptorSettings(
            ELEMENTS, (4, 3), 3.6, quadratic=True, wj=(1.0, 0.6), radelem=(0.5, 0.4), bzero=False
        ),
    ),
    "inner": (("Si",), DescriptorSettings(("Si",), (3,), 3.6, quadratic=True, sinner=(2.3,), dinner=(0.2,))),
}


@pytest.mark.parametrize("name", list(SUPER))
@pytest.mark.parametrize("shape", ["cubic", "rotated", "skewed", "left-handed", "slab", "cluster"])
def test_products_formed_here_equal_those_of_lammps(name, shape):
    elements, settings = SUPER[name]
    atoms = cells()[shape]
    atoms = atoms * [2 if p else 1 for p in atoms.pbc]
    if len(elements) > 1:
        atoms.symbols = [elements[i % 3 == 0] for i in range(len(atoms))]
    structure = frame_of(atoms)
    box = lammps_box(atoms.positions, np.array(atoms.cell), atoms.pbc)
    assert quadratic.applies(settings, box, len(atoms), 14)
    with closing(SnapBasis(settings)) as fast, closing(SnapBasis(settings, form_products=False)) as slow:
        a, b = fast.rows(structure), slow.rows(structure)
    for part in ("energy", "forces", "virial"):
        mine, theirs = getattr(a, part), getattr(b, part)
        scale = np.abs(theirs).max(axis=0 if theirs.ndim > 1 else None)
        assert (np.abs(mine - theirs) <= 1e-12 * np.abs(theirs).max() + 1e-11 * scale).all(), part
    assert a.fixed.energy == pytest.approx(b.fixed.energy)


@pytest.mark.parametrize(
    ("settings", "shape", "repeat"),
    [
        (PLAIN, "cubic", 2),  # linear
        (SUPER["one-element"][1], "cubic", 1),  # 5.4 Å across with a cutoff of 3.6 Å
        (SUPER["one-element"][1], "slab", 1),
        (SUPER["one-element"][1], "cubic", 5),  # 1,000 atoms
        (DescriptorSettings(("Si",), (2,), 3.6, quadratic=True, chem=True), "cubic", 2),
    ],
)
def test_products_are_left_to_lammps(settings, shape, repeat):
    atoms = cells()[shape] * repeat
    box = lammps_box(atoms.positions, np.array(atoms.cell), atoms.pbc)
    assert not quadratic.applies(settings, box, len(atoms), 14)


def test_engine_reuses_its_box_without_a_trace():
    settings = DescriptorSettings(("Si",), (3,), 3.6, quadratic=True, reference=ZBL)
    shapes = ["cubic", "rotated", "slab", "skewed", "tiny", "cluster", "cubic", "one-atom", "wire"]
    every = cells() | {"large": cells()["cubic"] * (2, 2, 2)}
    order = [*shapes, "large", "tiny", "large"]
    with closing(SnapBasis(settings)) as kept:
        for name in order:
            structure = frame_of(every[name])
            with closing(SnapBasis(settings)) as fresh:
                one, two = kept.rows(structure), fresh.rows(structure)
            for part in ("energy", "forces", "virial"):
                assert np.array_equal(getattr(one, part), getattr(two, part)), (name, part)
