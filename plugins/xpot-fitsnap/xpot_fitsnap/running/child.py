"""One FitSNAP run in a process of its own: ``python -m xpot_fitsnap.running.child JOB RESULT``.

A process of its own because FitSNAP prints, reads ``sys.argv``, keeps settings in class attributes and
writes to the working directory, and because the compatibility shim patches the LAMMPS module.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from xpot_fitsnap.running import shim

WEIGHTS = ("eweight", "fweight", "vweight")


def library_records(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """JSON records (in LAMMPS' frame) as the dictionaries of FitSNAP's library mode."""
    result = []
    for i, source in enumerate(records):
        entry: dict[str, Any] = dict(source)
        entry["QMLattice"] = entry["Lattice"] = np.array(source["Lattice"]).T
        for key in ("Positions", "Forces", "Stress"):
            entry[key] = np.array(source[key])
        entry["Rotation"] = np.eye(3)
        entry["test_bool"] = 0
        entry.setdefault("File", f"{i:06d}")
        result.append(entry)
    return result


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Compute descriptors and solve; gives the coefficients and times."""
    shim.install()
    begin = time.perf_counter()
    from fitsnap3lib.fitsnap import FitSnap

    sys.argv = ["fitsnap"]
    fs = FitSnap(input=job["sections"], arglist=["--overwrite"])
    loaded = time.perf_counter()
    fs.process_configs(data=library_records(job["records"]))
    described = time.perf_counter()
    fs.solver.perform_fit()
    result = {
        "fit": np.asarray(fs.solver.fit, dtype=float).ravel(),
        "import": loaded - begin,
        "descriptors": described - loaded,
        "solve": time.perf_counter() - described,
    }
    if job.get("matrix"):
        arrays = fs.pt.shared_arrays
        result |= {name: np.array(arrays[name].array) for name in ("a", "b", "w")}
        result["row_type"] = np.array(fs.pt.fitsnap_dict["Row_Type"])
        result["configs"] = np.array(fs.pt.fitsnap_dict["Configs"])
    return result


if __name__ == "__main__":
    outcome = run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    np.savez(sys.argv[2] if len(sys.argv) > 2 else "result.npz", **outcome)
