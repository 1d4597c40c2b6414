"""``data-elasticity``: stresses of the data's own strained cells, and the elastic constants that they imply.

No reference is needed and nothing is relaxed: the reference values and the potential are asked for the stresses
of the same cells, and one fit gives the elastic constants of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import field_validator

from xpot_core.api import (
    FittedPotential,
    Frame,
    InputError,
    TrainingData,
    ValidationReport,
    ValidationRequest,
    option,
)
from xpot_lammps.process.failure import Failed
from xpot_lammps.process.options import ChildOptions
from xpot_lammps.process.reports import describe, report
from xpot_lammps.process.runner import run_child
from xpot_lammps.structures.cells import to_plain

MODULI = ("bulk_modulus", "c_prime", "c44")
"""What the stiffness of a cubic crystal consists of: against volume, and against two kinds of shear."""
_SHOWN = {"bulk_modulus": "B", "c_prime": "C'", "lattice_constant": "a"}
_SURE = 2.0
"""Standard deviations of the data's value by which a potential may always be off."""


class DataElasticityOptions(ChildOptions):
    """Options of ``data-elasticity``."""

    tolerance: float = option(
        0.25, "Relative deviation of a constant beyond which the potential has failed.", unit="", gt=0
    )
    tolerances: dict[str, float] = option(
        dict, "Value name -> its own relative tolerance, e.g. {c44: 0.1, lattice_constant: 0.005}."
    )
    lattice_tolerance: float = option(
        0.01,
        "Relative deviation of the lattice constant beyond which the potential has failed.",
        unit="",
        gt=0,
    )

    @field_validator("tolerances")
    @classmethod
    def _positive(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not 0 < v < float("inf") for v in value.values()):
            raise ValueError("tolerances must be greater than 0")
        return value


class DataElasticityValidator:
    """Compares the elasticity of a potential with that of its training data.

    Parameters
    ----------
    options
        The validated options.
    """

    def __init__(self, options: DataElasticityOptions) -> None:
        self.options = options

    def check(self, data: TrainingData) -> None:
        """See `xpot_core.api.CheckedValidator`."""
        _reference(data.frames)

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        from xpot_lammps.crystals.stiffness_fit import fit_stiffness

        fit = _reference(request.frames)
        frames = [to_plain(request.frames[i].atoms) for i in fit.cells.frames]
        outcome = run_child(f"{__name__}:virials_of_cells", potential, request, self.options, frames=frames)
        if outcome.failure:
            return report(False, describe(outcome.failure), {})
        own = fit_stiffness(fit.cells, fit.cells.stresses_of(np.array(outcome.result["virials"])))
        wanted, errors = dict(fit.values), dict(fit.uncertainties)
        # what a fit does not determine it tells all the same where the data's did: the strains are the same
        found = {name: own.constant(name) for name in wanted}
        a = fit.lattice_constant
        wanted["lattice_constant"], errors["lattice_constant"] = a, 0.0
        found["lattice_constant"] = a * float(np.exp(own.strain_to_rest[:3].mean()))
        return self._judge(wanted, errors, found, fit.unknown, len(frames))

    def _judge(
        self,
        wanted: Mapping[str, float],
        errors: Mapping[str, float],
        found: Mapping[str, float],
        unknown: Sequence[str],
        count: int,
    ) -> ValidationReport:
        faults: list[str] = []
        values: dict[str, float] = {}
        kinds = [n for n in MODULI if n in wanted] or [n for n in wanted if n != "lattice_constant"]
        for name, value in wanted.items():
            difference = found[name] - value
            values |= {name: found[name], f"data_{name}": value, f"{name}_error": difference / value}
            values[f"data_{name}_uncertainty"] = errors[name]
            usual = self.options.lattice_tolerance if name == "lattice_constant" else self.options.tolerance
            allowed = self.options.tolerances.get(name, usual) * abs(value)
            judged = name in kinds or name == "lattice_constant" or name in self.options.tolerances
            if judged and not abs(difference) <= max(allowed, _SURE * errors[name]):
                faults.append(f"{_told(name)} {_compared(name, found[name], value, errors[name])}")
        values["distance"] = float(np.sqrt(np.mean([values[f"{n}_error"] ** 2 for n in kinds])))
        values["cells"] = count
        shown = ", ".join(
            f"{_told(n)} {_compared(n, found[n], v, errors[n])}"
            for n, v in wanted.items()
            if n in (*kinds, "lattice_constant")
        )
        missing = f"; not in the data: {', '.join(map(_told, unknown))}" if unknown else ""
        told = f"{'; '.join(faults)} in the data" if faults else f"potential against data: {shown}"
        return report(not faults, f"{told}, by {count} strained cells{missing}", values)


def _told(name: str) -> str:
    return _SHOWN.get(name, name.upper())


def _compared(name: str, found: float, wanted: float, error: float) -> str:
    if name == "lattice_constant":
        return f"{found:.3f} against {wanted:.3f} Å"
    return f"{found:.3g} against {wanted:.3g} ± {max(error, 0.1):.1g} GPa"


def _reference(frames: Sequence[Frame]) -> Any:
    """What the data imply.

    Raises
    ------
    InputError
        If they have no strained cells with virials.
    """
    from xpot_lammps.crystals.stiffness_fit import elasticity_of

    fit = elasticity_of(frames)
    if fit is None:
        raise InputError(
            "the training frames hold no strained copies of a crystal with virials that determine an elastic constant",
            key="data",
            remedy="add strained cells with virials to the data, or use elastic with numbers of your own",
        )
    return fit


# -- in the child process --------------------------------------------------------------------------


def virials_of_cells(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Virials of the frames of a job in eV, shape (n, 3, 3)."""
    from xpot_lammps.force import make_calculator
    from xpot_lammps.structures.cells import from_plain

    model = make_calculator(potential, job["calculator"])
    virials = []
    for plain in job["frames"]:
        atoms = from_plain(plain)
        atoms.calc = model
        virials.append(-atoms.get_stress(voigt=False) * atoms.get_volume())
    if not np.isfinite(virials).all():
        raise Failed("not-finite", "stresses are not finite numbers")
    return {"result": {"virials": np.array(virials).tolist()}}
