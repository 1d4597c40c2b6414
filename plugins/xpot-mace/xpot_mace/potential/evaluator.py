"""A model of mace on structures, many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from xpot_core.api import FloatArray, PredictError
from xpot_mace.potential.backend import package, settings
from xpot_mace.potential.cells import periodic

_ATOMS_AT_ONCE = 256
"""Memory grows with them, speed hardly any more."""


class ModelEvaluator:
    """Energy, forces and virial of structures.

    Parameters
    ----------
    path
        The model's file. Loading it runs code that it holds, as with every model of mace.
    device
        ``cpu``, ``cuda``, or ``auto``: a GPU where there is one.
    threads
        Of the CPU.
    """

    def __init__(self, path: Path, device: str = "auto", threads: int = 1) -> None:
        torch = package("torch")
        package("mace.modules")
        self._torch, self._data, self._geometric = (
            torch,
            package("mace.data"),
            package("mace.tools.torch_geometric"),
        )
        self._threads = threads
        self._device = torch.device(
            ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        )
        try:
            self._model = torch.load(path, map_location=self._device, weights_only=False)
        except Exception as error:  # whatever a broken pickle raises
            raise PredictError(f"{path.name} is no model of mace: {error}") from error
        for parameter in self._model.parameters():
            parameter.requires_grad = False
        self._cutoff = float(self._model.r_max)
        numbers = [int(z) for z in self._model.atomic_numbers]
        self._table = package("mace.tools").AtomicNumberTable(numbers)
        self._dtype = next(self._model.parameters()).dtype

    def evaluate(self, structures: Sequence[Atoms]) -> Iterator[tuple[float, FloatArray, FloatArray]]:
        """Energy (eV), forces (eV/Å) and virial (eV, positive under compression) of each structure.

        Raises
        ------
        PredictError
            If a structure holds an element that the model does not know.
        """
        for batch in _batches(structures):
            with settings(self._dtype, self._threads):
                yield from self._evaluate(batch)

    def _evaluate(self, structures: Sequence[Atoms]) -> list[tuple[float, FloatArray, FloatArray]]:
        graphs = [self._graph(atoms) for atoms in structures]
        batch = self._geometric.Batch.from_data_list(graphs).to(self._device)
        found = self._model(
            batch.to_dict(), training=False, compute_force=True, compute_virials=True, compute_stress=True
        )
        energies = _numbers(found["energy"])
        ends = _numbers(batch.ptr).astype(int)
        forces, virials = _numbers(found["forces"]), _numbers(found["virials"])
        return [
            (float(energies[i]), forces[ends[i] : ends[i + 1]], 0.5 * (virials[i] + virials[i].T))
            for i in range(len(structures))
        ]

    def _graph(self, atoms: Atoms) -> Any:
        if unknown := sorted(set(atoms.numbers.tolist()) - set(self._table.zs)):
            raise PredictError(f"the model knows no element of atomic number {unknown[0]}")
        config = self._data.config_from_atoms(periodic(atoms, self._cutoff))
        return self._data.AtomicData.from_config(config, z_table=self._table, cutoff=self._cutoff)


def _batches(structures: Sequence[Atoms]) -> Iterator[list[Atoms]]:
    batch: list[Atoms] = []
    for atoms in structures:
        if batch and sum(map(len, batch)) + len(atoms) > _ATOMS_AT_ONCE:
            yield batch
            batch = []
        batch.append(atoms)
    if batch:
        yield batch


def _numbers(tensor: Any) -> FloatArray:
    return np.asarray(tensor.detach().cpu().numpy(), dtype=float)
