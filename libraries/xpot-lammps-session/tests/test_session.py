"""One LAMMPS instance: state, errors, what is freed."""

import numpy as np
import pytest
from xpot_lammps_session.session import LammpsError, LammpsSession, lammps_version, shipped_potentials

BOX = [
    "units metal",
    "atom_modify map array",
    "region box prism 1 9 0 6 0 7 0.5 0.2 0.1 units box",
    "create_box 1 box",
    "mass 1 28.0",
]


def test_state_of_a_run():
    with LammpsSession() as session:
        session.commands(BOX)
        session.create_atoms(np.array([1, 1]), np.array([[1.5, 1.0, 1.0], [3.5, 1.0, 1.0]]))
        session.commands(["pair_style lj/cut 3.0", "pair_coeff 1 1 0.01 2.0", "neighbor 0.1 nsq"])
        session.run()
        assert session.step == 0
        # Lennard-Jones at r = sigma: no energy, force 24 epsilon / sigma outwards
        assert session.thermo("pe") == pytest.approx(0.0, abs=1e-12)
        assert np.allclose(session.atom_array("f"), [[-0.12, 0, 0], [0.12, 0, 0]])
        low, cell = session.box()
        assert np.allclose(low, [1, 0, 0])
        assert np.allclose(cell, [[8, 0, 0], [0.5, 6, 0], [0.2, 0.1, 7]])


def test_errors_are_lammps_own_and_name_the_command():
    with LammpsSession() as session:
        with pytest.raises(LammpsError, match=r"LAMMPS: Unknown command.*\(command: nonsense 1\)"):
            session.commands(["nonsense 1"])
        session.commands(["boundary f f f", *BOX])
        with pytest.raises(LammpsError, match="compute"):
            session.global_array("absent")
        with pytest.raises(LammpsError, match="kept 0 of 1 atoms"):
            session.create_atoms(np.array([1]), np.array([[400.0, 0, 0]]))
    session.close()


def test_version_and_shipped_potentials():
    assert lammps_version() > 20240000
    folder = shipped_potentials()
    assert folder is not None
    assert (folder / "Si.sw").is_file()
