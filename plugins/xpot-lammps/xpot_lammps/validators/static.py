"""The static validators: choose the structure, run the child, judge its numbers."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from xpot_core.api import (
    FittedPotential,
    FloatArray,
    Frame,
    InputError,
    TrainingData,
    ValidationReport,
    ValidationRequest,
    nearest,
)
from xpot_lammps.options.static import (
    DimerOptions,
    ElasticOptions,
    EosOptions,
    PhononOptions,
    RelaxOptions,
    VacancyOptions,
)
from xpot_lammps.reports import compare, describe, report
from xpot_lammps.runner import Outcome, run_child
from xpot_lammps.structures import StructureTest, to_plain


def need_phonopy() -> None:
    """Say what to install, before hours are spent."""
    if importlib.util.find_spec("phonopy") is None:
        raise InputError(
            "engine phonopy needs the package phonopy, which is not installed",
            key="engine",
            value="phonopy",
            remedy="pip install 'xpot-lammps[phonons]', or engine: ase",
        )


OptionsT = TypeVar("OptionsT", bound=RelaxOptions)


class RelaxedTest(StructureTest[OptionsT]):
    """A test of a structure that is relaxed first."""

    def run(self, task: str, potential: FittedPotential, request: ValidationRequest, **job: Any) -> Outcome:
        """Run a task on the structure in a child process."""
        o = self.options
        atoms = self.start(potential.elements, request.frames)
        relaxation = {k: getattr(o, k) for k in ("relax", "max_force", "max_relax_steps")}
        return run_child(task, potential, request, o.timeout, atoms=to_plain(atoms), **relaxation, **job)


def _judge(
    options: RelaxOptions,
    values: Mapping[str, float],
    tables: Mapping[str, Mapping[str, Any]],
    shown: str,
    faults: Sequence[str] = (),
) -> ValidationReport:
    errors, deviations = compare(values, options.reference, options.tolerance, options.tolerances)
    found = [*faults, *deviations]
    summary = f"{'; '.join(found)} ({shown})" if found else shown
    return report(not found, summary, {**values, **errors}, tables)


class DimerValidator:
    """Looks for holes and wells in the energy of two atoms.

    Parameters
    ----------
    options
        The validated options.
    """

    def __init__(self, options: DimerOptions) -> None:
        self.options = options

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        distances = np.linspace(o.min_distance, o.max_distance, o.points)
        outcome = run_child(
            "xpot_lammps.tasks.static:dimer", potential, request, o.timeout, distances=distances.tolist()
        )
        if outcome.failure:
            return report(False, describe(outcome.failure), {})
        values: dict[str, float] = {"holes": 0, "wells": 0, "deepest_hole": 0.0}
        tables: dict[str, Any] = {}
        faults: list[str] = []
        warnings: list[str] = []
        for pair, curve in outcome.result["curves"].items():
            if any(e is None for e in curve):
                faults.append(f"{pair}: the energy is not a finite number at some distances")
            finite = np.array([np.nan if e is None else e for e in curve])
            tables[pair] = {"distance (Å)": distances.tolist(), "energy (eV)": curve}
            if np.isnan(finite).any():
                continue
            found = self.inspect(pair, distances, finite)
            values["holes"] += found["holes"]
            values["wells"] += found["wells"]
            values["deepest_hole"] = max(values["deepest_hole"], found["deepest_hole"])
            values |= {f"{pair}_distance": found["distance"], f"{pair}_binding_energy": -found["energy"]}
            (warnings if o.allow_holes else faults).extend(found["hole_texts"])
            warnings.extend(found["outside_texts"])
            (warnings if o.allow_wells else faults).extend(found["well_texts"])
        minima = [f"{p} {values[f'{p}_distance']:.2f} Å" for p in tables if f"{p}_distance" in values]
        shown = "; ".join([*faults, *(f"warning: {w}" for w in warnings)])
        return report(
            not faults, shown or f"smooth and repulsive; minima: {', '.join(minima)}", values, tables
        )

    def inspect(self, pair: str, r: FloatArray, energy: FloatArray) -> dict[str, Any]:
        """Holes and wells of one curve.

        Parameters
        ----------
        pair
            Two symbols joined by a dash.
        r
            Shape (n,), ascending, Å.
        energy
            Shape (n,), eV.
        """
        o = self.options
        radii = sum(float(covalent_radii[atomic_numbers[s]]) for s in pair.split("-"))
        trusted = o.trusted_ratio * radii
        bonded = np.flatnonzero(r >= max(0.75 * radii, trusted))
        lowest = int(bonded[0] + np.argmin(energy[bonded]))
        # coming nearer than the bond, the energy may only rise: what it falls below its highest so far
        inward = energy[: lowest + 1][::-1]
        fall = (np.maximum.accumulate(inward) - inward)[::-1]
        near = r[: lowest + 1]
        found: dict[str, Any] = {"distance": float(r[lowest]), "energy": float(energy[lowest])}
        inside, outside = fall * (near >= trusted), fall * (near < trusted)
        found["hole_texts"], found["outside_texts"] = [], []
        for key, part in (("hole_texts", inside), ("outside_texts", outside)):
            if part.max(initial=0.0) > o.hole_depth:
                at = near[int(part.argmax())]
                found[key].append(f"{pair}: hole of {part.max():.3g} eV at {at:.2f} Å")
        found["holes"] = len(found["hole_texts"])
        found["deepest_hole"] = float(inside.max(initial=0.0))
        beyond = energy[lowest:]
        wells = _minima(beyond, o.well_depth)
        found["well_texts"] = [f"{pair}: second minimum at {r[lowest + k]:.2f} Å" for k in wells]
        found["wells"] = len(wells)
        return found


def _minima(energy: FloatArray, depth: float) -> list[int]:
    """Minima behind the first point that lie deeper than `depth` below the barriers on both sides."""
    found = []
    for k in range(1, len(energy) - 1):
        if energy[k] <= energy[k - 1] and energy[k] < energy[k + 1]:
            barrier = min(energy[: k + 1].max(), energy[k:].max())
            if barrier - energy[k] > depth and energy[: k + 1].max() > energy[0]:
                found.append(k)
    return found


class EosValidator(RelaxedTest[EosOptions]):
    """Energy against volume."""

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        settings = {"strain": o.strain, "points": o.points, "equation": o.equation}
        wanted = self._from_frames(request.frames)
        outcome = self.run("xpot_lammps.tasks.static:equation_of_state", potential, request, **settings)
        table = outcome.result.get("table")
        tables = {"energy against volume": table} if table else {}
        if outcome.failure:
            return report(False, describe(outcome.failure), {}, tables)
        v = outcome.result["values"]
        # numbers that the user gives come before those of the frames
        chosen = o.model_copy(update={"reference": {**wanted, **o.reference}})
        shown = f"lattice constant {v['lattice_constant']:.4f} Å, bulk modulus {v['bulk_modulus']:.4g} GPa, "
        shown += f"{v['volume_per_atom']:.4g} Å^3/atom, {v['energy_per_atom']:.6g} eV/atom"
        return _judge(chosen, v, tables, shown)

    def check(self, data: TrainingData) -> None:
        """See `xpot_core.api.CheckedValidator`."""
        super().check(data)
        self._from_frames(data.frames)

    def _from_frames(self, frames: Sequence[Frame]) -> dict[str, float]:
        """What the reference group says, if one is named."""
        group = self.options.reference_group
        if group is None:
            return {}
        from xpot_lammps.tasks.static import fit_eos

        known = {f.group for f in frames}
        if group not in known:
            raise InputError(
                "is no group of the training frames",
                key="reference_group",
                value=group,
                remedy=nearest(group, known),
            )
        frames = [f for f in frames if f.group == group and f.energy is not None and f.atoms.pbc.all()]
        rows = sorted({(f.atoms.get_volume() / f.n_atoms, float(f.energy or 0) / f.n_atoms) for f in frames})
        key: dict[str, Any] = {"key": "reference_group", "value": group}
        if len(rows) < 5:
            raise InputError(f"the group has {len(rows)} periodic frames with an energy; 5 are needed", **key)
        volumes, energies = np.array(rows).T
        fit = fit_eos(volumes, energies, self.options.equation)
        if "failure" in fit:
            raise InputError(f"its frames make no equation of state: {fit['failure']['message']}", **key)
        return {k: fit[k] for k in ("volume_per_atom", "bulk_modulus")}


class ElasticValidator(RelaxedTest[ElasticOptions]):
    """Elastic constants and mechanical stability."""

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        outcome = self.run("xpot_lammps.tasks.static:elastic", potential, request, strain=o.strain)
        if outcome.failure:
            return report(False, describe(outcome.failure), {})
        c = np.array(outcome.result["stiffness"])
        cubic = outcome.result["system"] == "cubic"
        values = {**outcome.result["lattice"], **elastic_values(c, cubic=cubic)}
        tables = {
            "stiffness": {"row": list(range(1, 7)), **{f"C{j + 1} (GPa)": c[:, j].tolist() for j in range(6)}}
        }
        stable = values["lowest_eigenvalue"] > 0
        faults = (
            []
            if stable
            else [f"mechanically unstable: lowest eigenvalue {values['lowest_eigenvalue']:.3g} GPa"]
        )
        shown = f"C11 {values['c11']:.4g}, C12 {values['c12']:.4g}, C44 {values['c44']:.4g} GPa, "
        shown += f"bulk modulus {values['bulk_modulus']:.4g}, shear modulus {values['shear_modulus']:.4g} GPa"
        return _judge(o, values, tables, shown, faults)


def elastic_values(c: FloatArray, *, cubic: bool) -> dict[str, float]:
    """Named constants and averages of a stiffness matrix.

    Parameters
    ----------
    c
        Shape (6, 6), GPa.
    cubic
        Whether equivalent constants are averaged, and the rest left out.
    """
    values = {f"c{i + 1}{j + 1}": float(c[i, j]) for i in range(6) for j in range(i, 6)}
    if cubic:
        values = {
            "c11": float(np.mean([c[0, 0], c[1, 1], c[2, 2]])),
            "c12": float(np.mean([c[0, 1], c[0, 2], c[1, 2]])),
            "c44": float(np.mean([c[3, 3], c[4, 4], c[5, 5]])),
        }
    values["lowest_eigenvalue"] = float(np.linalg.eigvalsh(c).min())
    voigt_bulk = float(c[:3, :3].mean())
    voigt_shear = float((np.trace(c[:3, :3]) - (c[0, 1] + c[0, 2] + c[1, 2]) + 3 * np.trace(c[3:, 3:])) / 15)
    values |= {"bulk_modulus": voigt_bulk, "shear_modulus": voigt_shear}
    if values["lowest_eigenvalue"] > 0:
        s = np.linalg.inv(c)
        reuss_bulk = float(1 / s[:3, :3].sum())
        low = 4 * np.trace(s[:3, :3]) - 4 * (s[0, 1] + s[0, 2] + s[1, 2]) + 3 * np.trace(s[3:, 3:])
        # Hill's average of the bounds
        values["bulk_modulus"] = 0.5 * (voigt_bulk + reuss_bulk)
        values["shear_modulus"] = 0.5 * (voigt_shear + float(15 / low))
    return values


class VacancyValidator(RelaxedTest[VacancyOptions]):
    """Vacancy formation energy."""

    def start(self, elements: Sequence[str], frames: Sequence[Frame]) -> Atoms:
        """See `StructureTest`; the atom to be taken out must be there, and its energy elsewhere known."""
        o = self.options
        atoms = super().start(elements, frames)
        symbols = atoms.get_chemical_symbols()
        if o.site >= len(symbols):
            raise InputError(
                f"the cell has {len(symbols)} atoms",
                key="site",
                value=o.site,
                remedy=f"write a number from 0 to {len(symbols) - 1}",
            )
        element = symbols[o.site]
        if len(set(symbols)) > 1 and element not in o.chemical_potentials:
            raise InputError(
                f"the chemical potential of {element} is needed: the crystal has several elements",
                key="chemical_potentials",
                remedy=f"give chemical_potentials: {{{element}: ...}} in eV",
            )
        return atoms

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        settings = {
            "min_atoms": o.min_atoms,
            "site": o.site,
            "rattle": o.rattle,
            "chemical_potentials": o.chemical_potentials,
        }
        outcome = self.run("xpot_lammps.tasks.vacancy:vacancy", potential, request, **settings)
        if outcome.failure:
            return report(False, describe(outcome.failure), {})
        v = outcome.result["values"]
        energy = v["formation_energy"]
        faults = [] if energy > 0 else [f"the formation energy is negative: {energy:.3g} eV"]
        shown = f"vacancy of {outcome.result['element']}: {energy:.4g} eV, "
        shown += f"{v['formation_energy_unrelaxed']:.4g} eV unrelaxed"
        return _judge(o, v, {}, shown, faults)


class PhononValidator(RelaxedTest[PhononOptions]):
    """Phonon frequencies and dynamical stability."""

    def __init__(self, options: PhononOptions) -> None:
        if options.engine == "phonopy":
            need_phonopy()
        super().__init__(options)

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        names = ("engine", "supercell", "displacement", "path", "points")
        outcome = self.run(
            "xpot_lammps.tasks.phonons:phonons", potential, request, **{n: getattr(o, n) for n in names}
        )
        if outcome.failure:
            return report(False, describe(outcome.failure), {})
        result = outcome.result
        band, gamma = np.array(result["band"]), np.array(result["gamma"])
        values = {
            "gamma_optical": float(gamma.max()),
            "highest_frequency": float(band.max()),
            "lowest_frequency": float(min(band.min(), gamma.min())),
        }
        columns = {f"branch {i + 1} (THz)": band[:, i].tolist() for i in range(band.shape[1])}
        tables = {"phonon band": {"distance (1/Å)": result["distance"], **columns}}
        faults = []
        if -values["lowest_frequency"] > o.max_imaginary:
            faults.append(
                f"dynamically unstable: imaginary frequency of {-values['lowest_frequency']:.3g} THz"
            )
        shown = f"highest frequency at Gamma {values['gamma_optical']:.3f} THz, in the band "
        shown += f"{values['highest_frequency']:.3f} THz, lowest {values['lowest_frequency']:.3f} THz"
        return _judge(o, values, tables, shown, faults)
