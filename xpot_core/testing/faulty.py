"""A plugin file whose fitter does on demand all that fits do when they go wrong.

Name it in a study file, ``plugins: [.../xpot_core/testing/faulty.py]``, to see how a study, an executor or a
report takes it. Its potential is one number, so a fit that goes well takes no time at all.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from xpot_core.api import (
    FitError,
    FitRequest,
    FittedPotential,
    FitterProvider,
    Frame,
    InfeasibleError,
    NoOptions,
    OptionsModel,
    Predictions,
    PredictorProvider,
    Range,
    hookimpl,
    option,
)

FORMAT = "faulty"
Mode = Literal[
    "ok",
    "sleep",
    "exception",
    "base-exception",
    "fit-error",
    "infeasible",
    "nan",
    "exit",
    "os-exit",
    "abort",
    "hang",
    "memory",
    "child",
    "pool-crash",
    "orphan",
    "fork",
    "thread",
    "print",
]


class FaultyOptions(OptionsModel):
    """Options of ``faulty``."""

    level: float = option(
        1.0, "Energy of each atom that the potential gives.", unit="eV", tune=Range(-3.0, 3.0)
    )
    mode: Mode = option("ok", "What the fit does.")
    seconds: float = option(0.0, "How long it takes.", unit="s", ge=0)
    megabytes: int = option(
        0, "How much memory the mode 'memory' takes, or 'print' prints.", unit="MB", ge=0, tunable=False
    )


class FaultyFitter:
    """Writes one number, or fails."""

    def fit(self, request: FitRequest) -> FittedPotential:
        """Fit, fail, crash or hang."""
        options = request.options
        assert isinstance(options, FaultyOptions)
        (request.directory / "fit.log").write_text(f"mode {options.mode}\nlast words of the program\n")
        request.progress(f"{options.seconds:g} s left")
        time.sleep(options.seconds)
        _misbehave(options)
        level = float("nan") if options.mode == "nan" else options.level
        (request.directory / "level.json").write_text(json.dumps(level))
        return FittedPotential.from_files(
            FORMAT, request.directory, {"level": "level.json"}, request.data.elements
        )


def _misbehave(options: FaultyOptions) -> None:
    match options.mode:
        case "exception":
            raise ZeroDivisionError("a fault of the plugin")
        case "base-exception":
            raise Panic("beyond all that is caught")
        case "fit-error":
            raise FitError(f"the matrix is singular at {options.level:.3f}", remedy="add a ridge")
        case "infeasible":
            raise InfeasibleError(f"needs {options.level:.2f} GB")
        case "exit":
            sys.exit(3)
        case "os-exit":
            os._exit(0)
        case "abort":
            print("about to abort", file=sys.stderr, flush=True)
            os.abort()
        case "hang":
            time.sleep(3600)
        case "child":
            import subprocess

            subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)"], check=False)
        case "pool-crash" | "orphan" | "fork" | "thread":
            _leave_behind(options.mode)
        case "print":
            for _ in range(options.megabytes):
                sys.stdout.write("x" * 999_999 + "\n")
        case "memory":
            hoard = []
            for _ in range(options.megabytes // 10):
                hoard.append(bytearray(os.urandom(1) * 10_000_000))
                time.sleep(0.01)
            time.sleep(30)


def _leave_behind(mode: str) -> None:
    """Start what outlives the fit, or the process of the fit."""
    import multiprocessing
    import signal
    import subprocess
    import threading

    match mode:
        case "pool-crash":
            pool = multiprocessing.get_context("fork").Pool(2)
            pool.map_async(time.sleep, [3600] * 2)
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGSEGV)
        case "orphan":
            # All that keeps a program alive: a session of its own, no parent, deaf to SIGTERM; and it holds every
            # pipe that it can get.
            code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
            command = (
                f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}], close_fds=False)"
            )
            subprocess.run(
                [sys.executable, "-c", command], start_new_session=True, close_fds=False, check=False
            )
            os._exit(0)
        case "fork":
            if os.fork() == 0:
                time.sleep(0.5)  # its own file must not be written anew while the trial reads it
        case "thread":
            threading.Thread(target=time.sleep, args=(3600,), name="stray").start()


class Panic(BaseException):
    """What Rust libraries raise, and some test tools: no `Exception`."""


class FaultyPredictor:
    """Gives each atom the energy that was written."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def predict(
        self, potential: FittedPotential, frames: Sequence[Frame], *, directory: Path, threads: int = 1
    ) -> Predictions:
        """Energies from the level, no forces."""
        level = json.loads(potential.path("level").read_text())
        return Predictions(
            np.array([level * f.n_atoms for f in frames], dtype=float),
            [np.zeros((f.n_atoms, 3)) for f in frames],
            np.zeros((len(frames), 3, 3)),
        )


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """The fitter."""
    target = f"{__name__}:FaultyFitter"
    yield FitterProvider("faulty", "fails on demand, for tests", target, FaultyOptions, produces=(FORMAT,))


@hookimpl
def xpot_register_predictors() -> Iterable[PredictorProvider]:
    """Its predictor."""
    target = f"{__name__}:FaultyPredictor"
    yield PredictorProvider("faulty", "reads the potentials of the fitter faulty", target, accepts=(FORMAT,))
