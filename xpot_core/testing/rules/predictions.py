"""Rules of predictions: derivatives are derivatives, and space has no preferred place or direction."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xpot_core.errors import PredictError, XpotError
from xpot_core.testing.contracts.contract import NotApplicable, scratch
from xpot_core.testing.frames import described, frame, rotation, structure
from xpot_core.testing.rules.bench import FitterBench, assert_same, assert_sound
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import FloatArray, Frame

if TYPE_CHECKING:
    from ase import Atoms

_STEP = 2e-3  # Å, and as strain; four-point differences


class PredictorRules(FitterBench):
    """Rules of predictions with the potential that `tiny_options` give."""

    def _say(self, structures: Sequence[Atoms]) -> Predictions:
        """Predictions for bare structures, by the potential of the largest set of elements."""
        chosen = [_frame(atoms, i) for i, atoms in enumerate(structures)]
        with scratch() as folder:
            found = self.predict(self.base(self.most).potential, chosen, folder)
        assert_sound(found, chosen)
        return found

    def _structures(self) -> list[Atoms]:
        return [
            structure(80, self.most),
            structure(81, self.most, small=True),
            structure(82, self.most, turned=False),
        ]

    def test_forces_are_minus_the_gradient_of_the_energy(self) -> None:
        """Against four-point differences, for atoms of every kind of cell."""
        for atoms in self._structures():
            moves = list(itertools.product(range(min(len(atoms), 2)), range(3)))
            displaced = [atoms]
            for (i, axis), step in itertools.product(moves, _STEPS):
                moved = atoms.copy()
                moved.positions[i, axis] += step
                displaced.append(moved)
            found = self._say(displaced)
            slopes = _slopes(found.energies[1:])
            forces = np.array([found.forces[0][i, axis] for i, axis in moves])
            fault = np.abs(forces + slopes).max()
            assert fault <= self.force_tolerance, (
                f"forces of {described(_frame(atoms))} differ by {fault:.2g} eV/Å from differences of energies"
            )

    def test_virial_is_minus_the_derivative_by_strain(self) -> None:
        """With the sign of the conventions: positive under compression."""
        for atoms in self._structures():
            pairs = [(a, b) for a in range(3) for b in range(a, 3)]
            strained = [atoms]
            for (a, b), step in itertools.product(pairs, _STEPS):
                strain = np.eye(3)
                strain[a, b] += step / 2
                strain[b, a] += step / 2
                moved = atoms.copy()
                moved.set_cell(np.array(atoms.cell) @ strain, scale_atoms=True)
                strained.append(moved)
            found = self._say(strained)
            assert found.virials is not None, "the predictor gives no virials"
            virial = np.array([found.virials[0][a, b] for a, b in pairs])
            fault = np.abs(virial + _slopes(found.energies[1:])).max() / len(atoms)
            assert fault <= 10 * self.force_tolerance, (
                f"the virial of {described(_frame(atoms))} differs by {fault:.2g} eV/atom from differences"
            )
            asymmetry = np.abs(found.virials[0] - found.virials[0].T).max()
            assert asymmetry <= 10 * self.symmetry_tolerance, (
                f"the virial of {described(_frame(atoms))} is asymmetric by {asymmetry:.2g} eV"
            )

    def test_forces_add_up_to_zero(self) -> None:
        """There is no force from nowhere."""
        structures = self._structures()
        for atoms, forces in zip(structures, self._say(structures).forces, strict=True):
            self._close(forces.sum(axis=0), np.zeros(3), "the sum of forces and zero", atoms)

    def test_rotation(self) -> None:
        """Energy stays, forces and virial turn with the cell, whatever orientation a program prefers."""
        for number, atoms in enumerate(self._structures()):
            turn = rotation(100 + number)
            turned = atoms.copy()
            turned.set_cell(np.array(atoms.cell) @ turn.T)
            turned.set_positions(atoms.get_positions() @ turn.T)
            found = self._say([atoms, turned])
            self._equal(found, atoms)
            self._close(found.forces[0] @ turn.T, found.forces[1], "forces", atoms)
            if found.virials is not None:
                self._close(
                    turn @ found.virials[0] @ turn.T / len(atoms),
                    found.virials[1] / len(atoms),
                    "virial",
                    atoms,
                )

    def test_translation(self) -> None:
        """Shifts change nothing, also those that move atoms out of the cell or to another image."""
        for atoms in self._structures():
            shifted = atoms.copy()
            shifted.positions += (1.3, -7.1, 20.9)
            images = atoms.copy()
            images.positions[0] += 2 * np.array(atoms.cell)[0] - np.array(atoms.cell)[2]
            found = self._say([atoms, shifted, images])
            for other in (1, 2):
                self._equal(found, atoms, other)
                self._close(found.forces[0], found.forces[other], "forces", atoms)

    def test_permutation(self) -> None:
        """The order of atoms is the order of forces and nothing else."""
        for atoms in self._structures():
            order = np.random.default_rng(0).permutation(len(atoms))
            found = self._say([atoms, atoms[order]])
            self._equal(found, atoms)
            self._close(found.forces[0][order], found.forces[1], "forces", atoms)

    def test_supercell(self) -> None:
        """Energy and virial of a repeated cell are multiples; its forces repeat."""
        for atoms in self._structures():
            found = self._say([atoms, atoms.repeat((2, 1, 1)), atoms.repeat((1, 1, 3))])
            for other, times in ((1, 2), (2, 3)):
                self._equal(found, atoms, other, times)
                self._close(np.tile(found.forces[0], (times, 1)), found.forces[other], "forces", atoms)
                if found.virials is not None:
                    scaled = found.virials[other] / times / len(atoms)
                    self._close(found.virials[0] / len(atoms), scaled, "virial", atoms)

    def test_frames_are_independent(self) -> None:
        """Each frame alone gives what it gives among others, in their order; none at all give nothing."""
        structures = [*self._structures(), *self._structures()[::-1]]
        together = self._say(structures)
        alone = [self._say([atoms]) for atoms in structures]
        virials = (
            None
            if together.virials is None
            else np.concatenate([p.virials for p in alone if p.virials is not None])
        )
        joined = Predictions(
            np.concatenate([p.energies for p in alone]), [f for p in alone for f in p.forces], virials
        )
        chosen = [_frame(atoms, i) for i, atoms in enumerate(structures)]
        assert_same(together, joined, chosen, self.symmetry_tolerance, "alone and among others, predictions")
        assert len(self._say([]).forces) == 0

    def test_open_boundaries(self) -> None:
        """Clusters, slabs and single atoms have energies and forces; without volume there is no virial."""
        cluster, slab, wire = (structure(83, self.most) for _ in range(3))
        cluster.pbc = False
        cluster.cell = np.zeros((3, 3))
        slab.pbc = (True, True, False)
        wire.pbc = (False, False, True)
        lone = structure(84, self.most)[:1]
        lone.pbc = False
        lone.cell = np.zeros((3, 3))
        far = cluster.copy()
        far.positions += (50.0, -3.0, 7.0)
        found = self._say([cluster, slab, wire, lone, far])
        self._close(found.forces[0], found.forces[4], "forces", cluster)
        assert np.abs(found.forces[3]).max() <= self.symmetry_tolerance, "a lone atom feels a force"
        assert len({round(float(e), 6) for e in found.energies[:3]}) == 3, "periodicity makes no difference"

    def test_reference_values_are_not_looked_at(self) -> None:
        """The same frames with other reference values give the same predictions."""
        chosen = self.frames(self.most)[:3]
        wrong = [replace(f, energy=1e3, forces=None, virial=None, group="other") for f in chosen]
        potential = self.base(self.most).potential
        with scratch() as folder:
            right, other = (self.predict(potential, f, folder) for f in (chosen, wrong))
        assert_same(right, other, chosen, self.noise)

    def test_calculator_equals_the_predictor(self) -> None:
        """The tool ``calculator`` gives the predictor's energies, forces and stresses, in any cell."""
        potential = self.base(self.most).potential
        name = self.predictor or self.registry.predictor_for(potential.format).name
        make = self.registry.provider("predictor", name).tool("calculator")
        if make is None:
            raise NotApplicable("the predictor has no tool 'calculator'")
        cluster = structure(85, self.most)
        cluster.pbc = False
        chosen = [*self._structures(), cluster]
        found = self._say(chosen)
        calculator = make(potential)
        for i, atoms in enumerate(chosen):
            own = atoms.copy()
            own.calc = calculator
            fault = abs(own.get_potential_energy() - found.energies[i]) / len(own)
            assert fault <= self.symmetry_tolerance, (
                f"energies of {described(_frame(atoms))} differ by {fault:.2g} eV/atom"
            )
            self._close(own.get_forces(), found.forces[i], "forces", atoms)
            if found.virials is not None and own.pbc.all():
                virial = -own.get_stress(voigt=False) * own.get_volume()
                self._close(virial / len(own), found.virials[i] / len(own), "virials", atoms)

    def test_lammps_computes_what_says_so(self) -> None:
        """A potential with ``metadata["lammps"]`` gives the same in LAMMPS, where that is installed."""
        potential = self.base(self.most).potential
        if "lammps" not in potential.metadata:
            raise NotApplicable("the potential does not say that LAMMPS computes it")
        try:
            runner = self.registry.create("predictor", self.registry.predictor_for("lammps").name).instance
        except XpotError as error:
            raise NotApplicable(f"nothing here runs LAMMPS: {error}") from None
        chosen = [_frame(atoms, i) for i, atoms in enumerate(self._structures())]
        with scratch() as folder:
            try:
                found = runner.predict(potential, chosen, directory=folder)
            except PredictError as error:
                if "not enabled in this LAMMPS" in str(error):
                    raise NotApplicable(f"this LAMMPS was built without what it needs: {error}") from None
                raise
            own = self.predict(potential, chosen, folder)
        assert_same(found, own, chosen, 10 * self.symmetry_tolerance, "LAMMPS and the predictor")

    def _equal(self, found: Predictions, atoms: Atoms, other: int = 1, times: int = 1) -> None:
        fault = abs(found.energies[0] - found.energies[other] / times) / len(atoms)
        assert fault <= self.symmetry_tolerance, (
            f"energies of {described(_frame(atoms))} differ by {fault:.2g} eV/atom"
        )

    def _close(self, a: FloatArray, b: FloatArray, what: str, atoms: Atoms) -> None:
        fault = float(np.abs(a - b).max())
        assert fault <= 10 * self.symmetry_tolerance, (
            f"{what} of {described(_frame(atoms))} differ by {fault:.2g}"
        )


def _frame(atoms: Atoms, number: int | None = None) -> Frame:
    return frame(atoms, source="kit" if number is None else f"kit#{number}")


_STEPS = (-2 * _STEP, -_STEP, _STEP, 2 * _STEP)


def _slopes(energies: FloatArray) -> FloatArray:
    """Derivatives from energies at the four steps, one row of four after the other."""
    e = energies.reshape(-1, 4)
    slopes: FloatArray = (e[:, 0] - 8 * e[:, 1] + 8 * e[:, 2] - e[:, 3]) / (12 * _STEP)
    return slopes
