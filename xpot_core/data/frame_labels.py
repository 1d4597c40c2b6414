"""Labels that say how a single frame takes part in a fit: expected errors, a force mask, a weight.

The default names are gap_fit's own and mean what they mean there, so that one file says the same to both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.errors import InputError
from xpot_core.study_file.schema import Keys
from xpot_core.types.structures import BoolArray, FloatArray, Frame, bare_atoms


def labels_of(atoms: Any, keys: Keys, path: Path, source: str) -> dict[str, Any]:
    """The labels of atoms as arguments of `Frame`; those that a frame lacks are left out.

    Raises
    ------
    InputError
        If a sigma or a weight is no number above zero, or an array has the wrong shape.
    """
    labels = _Labels(atoms, path, source)
    found = {
        "energy_sigma": labels.number("energy_sigma", keys.energy_sigma),
        "force_sigma": labels.force_sigma(keys.force_sigma),
        "virial_sigma": labels.virial_sigma(keys.virial_sigma),
        "force_mask": labels.mask(keys.force_mask),
        "weight": labels.number("weight", keys.weight),
    }
    return {name: value for name, value in found.items() if value is not None}


def force_columns(key: str) -> tuple[str, ...]:
    """Columns that may hold a sigma of forces, the most detailed first: gap_fit's two, then the key itself."""
    rest = key.removeprefix("force_")
    return (f"force_component_{rest}", f"force_atom_{rest}", key) if rest != key else (key,)


def image_of(frame: Frame) -> Any:
    """The atoms of a frame with all that it says, under the names that a study file expects by default.

    A weight stands under ``config_weight``, which a study has to name.
    """
    atoms = bare_atoms(frame.atoms)
    atoms.info["config_type"] = frame.group
    if frame.energy is not None:
        atoms.info["REF_energy"] = frame.energy
    if frame.forces is not None:
        atoms.arrays["REF_forces"] = frame.forces
    if frame.virial is not None:
        atoms.info["REF_virial"] = frame.virial.ravel()  # nine numbers: others read no matrix
    if frame.energy_sigma is not None:
        atoms.info["energy_sigma"] = frame.energy_sigma
    if (sigma := frame.force_sigma) is not None and sigma.size:
        if (sigma == sigma[0, 0]).all():
            atoms.info["force_sigma"] = float(sigma[0, 0])
        else:
            atoms.arrays["force_component_sigma"] = sigma
    if (sigma := frame.virial_sigma) is not None:
        same = (sigma == sigma[0, 0]).all()
        atoms.info["virial_sigma"] = float(sigma[0, 0]) if same else sigma.ravel()
    if frame.force_mask is not None:
        atoms.arrays["force_mask"] = ~frame.force_mask
    if frame.weight != 1.0:
        atoms.info["config_weight"] = frame.weight
    return atoms


class _Labels:
    """Takes labels out of one frame, and names file, frame and key where one is wrong."""

    def __init__(self, atoms: Any, path: Path, source: str) -> None:
        self.atoms, self.path, self.source = atoms, path, source
        self.n = len(atoms)

    def number(self, label: str, key: str | None) -> float | None:
        """A number above zero."""
        if key is None or key not in self.atoms.info:
            return None
        return float(self._positive(label, key, self.atoms.info[key], {1: ()}, "one number").reshape(()))

    def force_sigma(self, key: str | None) -> FloatArray | None:
        """By component, by atom or for the whole frame -> shape (n, 3)."""
        if key is None:
            return None
        for column in force_columns(key):
            if column in self.atoms.arrays:
                shapes = {3 * self.n: (self.n, 3), self.n: (self.n, 1)}
                values = self.atoms.arrays[column]
                wanted = "one or three numbers for each atom"
                found = self._positive("force_sigma", column, values, shapes, wanted)
                return np.array(np.broadcast_to(found, (self.n, 3)))
        whole = self.number("force_sigma", key)
        return None if whole is None else np.full((self.n, 3), whole)

    def virial_sigma(self, key: str | None) -> FloatArray | None:
        """One number, six (xx yy zz yz xz xy) or nine -> shape (3, 3); gap_fit's name for the nine comes first."""
        if key is None:
            return None
        by_component = "virial_component_" + key.removeprefix("virial_")
        key = by_component if by_component in self.atoms.info else key
        if key not in self.atoms.info:
            return None
        shapes = {1: (1, 1), 6: (6,), 9: (3, 3)}
        wanted = "one number, or nine, or six in the order xx yy zz yz xz xy"
        found = self._positive("virial_sigma", key, self.atoms.info[key], shapes, wanted)
        if found.shape == (6,):
            found = found[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
        return np.array(np.broadcast_to(found, (3, 3)))

    def mask(self, key: str | None) -> BoolArray | None:
        """True where forces count: the opposite of the column, which says what is left out."""
        if key is None or key not in self.atoms.arrays:
            return None
        values = self.atoms.arrays[key]
        if values.size != self.n or not np.isin(values, (0, 1)).all():
            raise self._wrong("force_mask", key, "T or F, 1 or 0, for each atom", values)
        counts: BoolArray = values.reshape(self.n) == 0
        return None if counts.all() else counts

    def _positive(
        self, label: str, key: str, value: Any, shapes: Mapping[int, tuple[int, ...]], wanted: str
    ) -> FloatArray:
        try:
            array = np.asarray(value, dtype=float)
            array = array.reshape(shapes[array.size])
        except (TypeError, ValueError, KeyError) as error:
            raise self._wrong(label, key, wanted, value) from error
        if not (np.isfinite(array).all() and (array > 0).all()):
            raise self._wrong(label, key, f"{wanted}, above zero and finite", value)
        return array

    def _wrong(self, label: str, key: str, wanted: str, value: Any) -> InputError:
        return InputError(
            f"{key} of {self.source} must be {wanted}",
            file=self.path,
            key=f"data.keys.{label}",
            value=value if np.size(value) <= 9 else None,
            remedy=f"mend the frame, or write data.keys.{label}: null to ignore {key}",
        )
