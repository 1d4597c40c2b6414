"""Columns of a file that look like reference values and that a study does not use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from xpot_core.data.frame_labels import force_columns
from xpot_core.study_file.schema import DataConfig

_WORDS = ("energy", "force", "virial", "stress", "sigma", "weight", "mask")
_KEY_OF = {"energy": "energy", "force": "forces", "virial": "virial", "stress": "stress"}
_MOST = 6
Column = tuple[str, str]
"""Quantity of `_WORDS` and name; `READ` and name for one that a key names."""
READ = "read"


def unused_columns(images: Sequence[Any], config: DataConfig) -> set[Column]:
    """Values whose name and shape say that they are reference values, sigmas or weights, and that no key names.

    Those that a key names are there too, marked as `READ`.
    """
    keys, fields = config.keys.model_dump(), type(config.keys).model_fields
    # Who writes null knows of the column and does not want it.
    off = {key for key in config.keys.model_fields_set if keys[key] is None}
    used = {name for name in keys.values() if name is not None} | {config.group_by}
    used |= {str(fields[key].default) for key in off}
    used |= set(force_columns(config.keys.force_sigma or "force_sigma"))
    silent = {kind for kind, key in _KEY_OF.items() if key in off}
    found: set[Column] = set()
    for atoms in images:
        results = dict(atoms.calc.results) if atoms.calc is not None else {}
        for name, value in (*atoms.info.items(), *atoms.arrays.items(), *results.items()):
            if name in used:
                found.add((READ, str(name)))
                continue
            kind = next((w for w in _WORDS if w in str(name).lower()), None)
            if (
                kind is not None
                and kind not in silent
                and _fits(kind, name in atoms.arrays, value, len(atoms))
            ):
                found.add((kind, str(name)))
    return found


def sentences(unused: Iterable[Column], read: Iterable[str]) -> Iterator[str]:
    """At most two sentences on what is not used.

    Parameters
    ----------
    unused
        Of all files.
    read
        Which of ``energy``, ``force`` and ``virial`` the frames have.
    """
    rest = sorted(
        (c for c in unused if c[0] != READ), key=lambda column: (column[0] in _KEY_OF, column)
    )  # what would change a fit comes first
    lacking = [c for c in rest if c[0] in _KEY_OF and {"stress": "virial"}.get(c[0], c[0]) not in set(read)]
    if lacking:
        offers = ", ".join(f"data.keys.{_KEY_OF[kind]}: {name}" for kind, name in lacking[:_MOST])
        yield f"values in the files that are not read; to use them write {offers}"
    names = [name for kind, name in rest if (kind, name) not in lacking]
    if names:
        more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
        yield f"not used, and named by no key of data.keys: {', '.join(names[:_MOST])}{more}"


def _fits(kind: str, by_atom: bool, value: Any, n_atoms: int) -> bool:
    array = np.asarray(value)
    if array.dtype.kind not in "bif":
        return False
    if kind == "force":
        return array.shape == (n_atoms, 3)
    if kind in ("sigma", "mask"):
        return array.size in (1, 6, 9, n_atoms, 3 * n_atoms)
    return not by_atom and array.size in ((6, 9) if kind in ("virial", "stress") else (1,))
