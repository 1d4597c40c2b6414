"""The conformance kit's rules for validators, as ``xpot plugins check xpot-lammps`` tries them."""

from __future__ import annotations

import pytest

from xpot_core.testing import contract_class

TestDimer = pytest.mark.slow(contract_class("validator", "dimer"))
TestDataElasticity = pytest.mark.slow(contract_class("validator", "data-elasticity"))
TestEquationOfState = pytest.mark.slow(contract_class("validator", "equation-of-state"))
TestElastic = pytest.mark.slow(contract_class("validator", "elastic"))
TestVacancy = pytest.mark.slow(contract_class("validator", "vacancy"))
TestPhonons = pytest.mark.slow(contract_class("validator", "phonons"))
TestLammpsSpeed = pytest.mark.slow(contract_class("validator", "lammps-speed"))
TestLammpsMd = contract_class("validator", "lammps-md")
TestLammpsMeltQuench = pytest.mark.slow(contract_class("validator", "lammps-melt-quench"))
