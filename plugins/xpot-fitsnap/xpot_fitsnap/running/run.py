"""One job for FitSNAP's library, run in a child process."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from xpot_core.api import FitError, FloatArray, child_process, log_tail

LOG = "fitsnap.log"


def run_fitsnap(job: Mapping[str, object], directory: Path) -> dict[str, FloatArray]:
    """Run one job in a child process; its output goes to ``fitsnap.log`` in `directory`.

    Parameters
    ----------
    job
        ``sections``, ``records`` and optionally ``matrix``; see `child`.
    directory
        Working directory of the child.

    Raises
    ------
    FitError
        If FitSNAP fails; the log's tail goes with it.
    """
    with tempfile.TemporaryDirectory(dir=directory, prefix="fitsnap-") as name:
        folder = Path(name)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        environment = {
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        }
        log = directory / LOG
        log.unlink(missing_ok=True)
        command = [sys.executable, "-P", "-m", "xpot_fitsnap.running.child", "job.json", "result.npz"]
        with child_process(command, folder, log, environment) as process:
            status = process.wait()
        if status != 0:
            text = log_tail(log, 4000)
            last = text.strip().splitlines()[-1] if text.strip() else "no output"
            raise FitError(f"FitSNAP failed (exit status {status}): {last}", log=text)
        with np.load(folder / "result.npz") as result:
            return {key: result[key] for key in result.files}
