"""Faults of the study file against the data and the machine."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from xpot_core.data.checks.neighbours import neighbours
from xpot_core.errors import XpotError
from xpot_core.options.find import option_of
from xpot_core.options.roles import Role
from xpot_core.results.columns import rows_of, too_many_columns
from xpot_core.search.loop import Study
from xpot_core.search.study_identity import scales_told
from xpot_core.setup.doctor.findings import Findings
from xpot_core.space.parameters import Choice
from xpot_core.system.progress import listener, told
from xpot_core.trial.final_model import influences
from xpot_core.trial.one_trial import run_trial
from xpot_core.types.structures import Frame
from xpot_core.types.trials import TrialTask

_WIDE = 1e3
_PATIENCE = 60.0
"""Seconds of a trial above which its structures are not left out one by one."""
_MOST_INFLUENCE = 5


def check_installation(study: Study, findings: Findings) -> None:
    """Programs and packages that the chosen plugins need; threads against cores."""
    used = [(kind, study.config.name_of(kind)) for kind in ("fitter", "optimizer", "executor", "loss")]
    used += [("validator", next(iter(b))) for b in (*study.config.validate_with, *study.config.constraints)]
    for kind, name in used:
        provider = study.registry.provider(kind, name)  # type: ignore[arg-type]
        missing = provider.missing()
        if missing:
            findings.warn(f"{kind} '{name}' needs {', '.join(missing)}")
    cores = os.cpu_count() or 1
    workers = study.executor.instance.capacity
    findings.facts.append(f"{cores} cores, {workers} workers")
    threads = study.runner.threads
    if workers > cores:
        findings.warn(f"{workers} workers share {cores} cores: no trial gets faster by it")
    elif threads * workers > cores:
        findings.warn(f"fits with {threads} threads, {workers} at once, share {cores} cores")


def check_space(study: Study, frames: Sequence[Frame], findings: Findings) -> None:
    """Ranges against the data, and hyperparameters that should not be searched."""
    shortest = nearest_neighbour(frames)
    if np.isfinite(shortest):
        findings.facts.append(f"shortest interatomic distance in the training set: {shortest:.3g} Å")
    for parameter in study.space:
        info = option_of(study.runner.fitter.provider.options, parameter.name)[0].info
        low = min(parameter.choices) if isinstance(parameter, Choice) and _numeric(parameter) else None
        low = parameter.low if not isinstance(parameter, Choice) else low
        if info.role is Role.CUTOFF and low is not None and low < shortest:
            findings.warn(
                f"'{parameter.name}' may go down to {low:g} Å, below the shortest distance {shortest:.3g} Å"
            )
        if info.converges:
            findings.warn(
                f"'{parameter.name}' is searched, but it converges: larger is more accurate and costs more, so the "
                "search will run to the upper end. Fix it, or make its cost an objective"
            )
        span = 1.0 if isinstance(parameter, Choice) or parameter.low <= 0 else parameter.high / parameter.low
        if span > _WIDE and not getattr(parameter, "log", False):
            findings.warn(f"the ends of '{parameter.name}' differ by a factor of {span:.3g}: add log: true")
    findings.facts += scales_told(study.runner)
    trials, searched = study.config.budget.trials, len(study.next_trials.searched)
    if trials < 2 * searched:
        findings.warn(
            f"{trials} trials for {searched} hyperparameters: a search needs several times as many; "
            "raise budget.trials, or take out 'per: group'"
        )


def _numeric(parameter: Choice) -> bool:
    return all(isinstance(c, int | float) and not isinstance(c, bool) for c in parameter.choices)


def nearest_neighbour(frames: Sequence[Frame]) -> float:
    """The shortest interatomic distance in frames, Å; infinity where there is none."""
    shortest = np.inf
    for frame in told(frames, listener(), "shortest distance: structure", len(frames)):
        reach = 6.0 if not np.isfinite(shortest) else float(shortest)
        distances = neighbours(frame.atoms, reach).distance
        if len(distances):
            shortest = min(shortest, float(distances.min()))
    return float(shortest)


def time_a_trial(study: Study, findings: Findings) -> None:
    """Run one trial in the middle of the ranges: time, memory, and whether it works at all."""
    middle: dict[str, object] = {p.name: p.from_unit(0.5) for p in study.next_trials.searched}
    before = _peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        result = run_trial(study.runner, TrialTask(0, middle, str(Path(folder) / "trial"), study.config.seed))
    total = result.seconds.get("total", 0.0)
    if result.failure is not None:
        hint = f" ({result.failure.hint})" if result.failure.hint else ""
        findings.warn(
            f"a trial in the middle of the ranges is {result.state} in stage {result.failure.stage}: "
            f"{result.failure.message}{hint}"
        )
        return
    if large := too_many_columns(result.metadata, result.errors, rows_of(study.dataset.sets["train"])):
        findings.warn(large)
    trials, workers = study.config.budget.trials, study.executor.instance.capacity
    minutes = total * trials / workers / 60
    findings.facts.append(
        f"one trial in the middle of the ranges takes {total:.2g} s; {trials} trials about {minutes:.2g} min "
        "without the optimizer"
    )
    peak = max(_peak_memory(), before)
    findings.facts.append(f"it used up to {peak / 1e9:.2g} GB of memory")
    limit = study.config.limits
    if limit.time is not None and total > 0.5 * limit.time:
        findings.warn(f"it took {total:.2g} s of the {limit.time:g} s that limits.time allows")
    if limit.memory is not None and peak > 0.8 * limit.memory:
        findings.warn(
            f"it used {peak / 1e9:.2g} GB of the {limit.memory / 1e9:.2g} GB that limits.memory allows"
        )
    if total < _PATIENCE:
        inner = {} if result.inner is None else result.inner.values
        _leave_out(study, {**middle, **inner}, findings)
    if study.config.budget.time is not None and minutes * 60 > 2 * study.config.budget.time:
        possible = int(study.config.budget.time / total * workers)
        findings.warn(f"budget.time is enough for about {possible} of the {trials} trials")


def _leave_out(study: Study, values: Mapping[str, object], findings: Findings) -> None:
    """Which structures decide such a fit, for fitters that know."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = influences(study.runner, values, Path(folder), seed=study.config.seed)
    except XpotError as error:
        findings.facts.append(
            f"how much each training structure decides such a fit is not known: {error.message}"
        )
        return
    findings.influence = [row.to_json() for row in (rows or [])[:_MOST_INFLUENCE]]


def _peak_memory() -> float:
    """Most memory of this process or of a child that has ended, bytes."""
    try:
        import resource
    except ImportError:  # Windows keeps it by process
        import psutil

        return float(psutil.Process().memory_info().peak_wset)
    unit = 1 if sys.platform == "darwin" else 1024
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(max(own.ru_maxrss, children.ru_maxrss) * unit)
