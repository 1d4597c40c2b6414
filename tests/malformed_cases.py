"""A study to be damaged, and commands that must answer: status 0, 1 or 2, no traceback, no hang."""

from __future__ import annotations

import contextlib
import io
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xpot_core.cli.entry import run
from xpot_core.data.dataset import load_dataset
from xpot_core.plugins.registry import load_registry
from xpot_core.space.read import build_space
from xpot_core.study_file.read import study_from_dict


class Hang(BaseException):
    """No `except Exception` may swallow it."""


@contextlib.contextmanager
def no_hang(seconds: int) -> Iterator[None]:
    """Fail instead of waiting for ever."""

    def stop(signum: int, frame: Any) -> None:
        raise Hang(f"no answer in {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def command(*arguments: object, statuses: tuple[int, ...] = (0, 1, 2)) -> tuple[int, str]:
    """Run a command in this process: its status and all that it says."""
    out = io.StringIO()
    with no_hang(20), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = run([str(a) for a in arguments])
    text = out.getvalue()
    assert status in statuses, f"status {status}: {text}"
    assert "Traceback" not in text, text
    assert "fault of xpot" not in text, text
    if status == 2:
        assert "error:" in text.lower() or "usage" in text.lower(), text
    return status, text


STUDY: dict[str, Any] = {
    "study": "argon",
    "data": {
        "train": "train.xyz",
        "validation": {"kfold": 3, "seed": 1, "stratify": True},
        "test": ["test.xyz"],
        "keys": {"energy": "REF_energy", "forces": "REF_forces", "virial": "REF_virial"},
        "group_by": "config_type",
        "reference_energies": {"Ar": 0.0},
    },
    "fitter": {
        "numpy-pair": {
            "cutoff": {"min": 4.0, "max": 6.5},
            "widths": [{"min": 0.3, "max": 0.6}, "tune"],
            "n_basis": 4,
            "energy_weight": {"tune": True, "per": "group"},
            "force_weight": {"cold": 100, "hot": {"min": 1, "max": 1000, "log": True}},
        }
    },
    "loss": {"energy-force": {"alpha": 0.8, "measure": "rmse", "group_weights": {"hot": 2.0}}},
    "optimizer": {"grid": {"levels": 3, "order": "shuffled"}},
    "budget": {"trials": 2, "time": "2h", "failures": 3},
    "limits": {"time": "5min", "memory": "4GB"},
    "executor": {"serial": {"threads": 1}},
    "plugins": [],
    "seed": 7,
}


def check_study(raw: Any, place: Path) -> None:
    """All that happens to a study file before the first trial."""
    study = study_from_dict(raw, place)
    registry = load_registry([study.resolve(p) for p in study.config.plugins])
    name = study.config.name_of("fitter")
    provider = registry.provider("fitter", name)
    for kind in ("loss", "optimizer", "executor"):
        registry.create(kind, *next(iter(getattr(study.config, kind).items())))  # type: ignore[arg-type]
    data = load_dataset(study).data
    build_space(provider.options, study.config.fitter[name], groups=data.groups, elements=data.elements)
