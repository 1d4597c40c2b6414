"""FitSNAP's own command, made to run with a current LAMMPS: ``python fitsnap_command.py INPUT [--cpu]``.

With ``--cpu`` the times that it prints are CPU seconds, which a busy machine does not spoil. Under MPI:
``mpiexec -n 2 python fitsnap_command.py INPUT`` with mpi4py importable, which FitSNAP then uses by itself.
"""

from __future__ import annotations

import runpy
import sys
import time

from xpot_fitsnap.running import shim

if __name__ == "__main__":
    shim.install()
    if "--cpu" in sys.argv:
        time.time = time.process_time
    sys.argv = ["fitsnap3", sys.argv[1], "--overwrite"]
    runpy.run_module("fitsnap3", run_name="__main__")
