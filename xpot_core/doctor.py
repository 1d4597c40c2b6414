"""What a careful colleague would check before a study runs for hours."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.data import group_table
from xpot_core.space import Choice
from xpot_core.study import Study
from xpot_core.trials import TrialTask
from xpot_core.types import Frame


@dataclass
class Findings:
    """The result of an examination.

    Attributes
    ----------
    groups
        Rows of the data table, with the set each belongs to.
    space
        Hyperparameters with their ranges.
    facts
        Sentences worth knowing.
    warnings
        Sentences that ask for action.
    """

    groups: list[dict[str, Any]] = field(default_factory=list)
    space: list[dict[str, str]] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> Mapping[str, Any]:
        """Plain data."""
        return asdict(self)


def examine(study: Study, *, measure: bool = True) -> Findings:
    """Check data, space and installation of a study; with `measure`, time one trial."""
    findings = Findings(warnings=list(study.dataset.warnings))
    data = study.dataset.data
    sets = {
        "train": data.training().frames,
        "validation": data.evaluation().frames,
        "test": study.dataset.test,
    }
    for name, frames in sets.items():
        findings.groups += [{"set": name, **row} for row in group_table(frames)]
    for parameter in study.space:
        if isinstance(parameter, Choice):
            text = "one of " + ", ".join(map(str, parameter.choices))
        else:
            text = f"{parameter.low:g} to {parameter.high:g}{' (log)' if parameter.log else ''}"
        findings.space.append({"name": parameter.name, "range": text})
    folds = f", {study.dataset.kfold}-fold cross-validation" if study.dataset.kfold else ""
    findings.facts.append(f"elements {', '.join(data.elements)}; {len(study.space)} hyperparameters{folds}")
    findings.facts.append("versions: " + ", ".join(f"{k} {v}" for k, v in study.versions().items()))
    _check_installation(study, findings)
    _check_small_groups(sets["train"], findings)
    _check_cutoffs(study, sets["train"], findings)
    if measure:
        _time_a_trial(study, findings)
    return findings


def _check_installation(study: Study, findings: Findings) -> None:
    for kind in ("fitter", "optimizer", "executor", "loss"):
        provider = study.registry.provider(kind, study.config.name_of(kind))  # type: ignore[arg-type]
        missing = provider.missing()
        if missing:
            findings.warnings.append(f"{kind} '{provider.name}' needs {', '.join(missing)}")


def _check_small_groups(frames: Sequence[Frame], findings: Findings) -> None:
    for row in group_table(frames):
        if row["structures"] == 1 and row["atoms"] > 1:
            findings.warnings.append(f"group '{row['group']}' has a single training structure")


def nearest_neighbour(frames: Sequence[Frame]) -> float:
    """The shortest interatomic distance in frames, Å; infinity where there is none."""
    from ase.neighborlist import neighbor_list

    shortest = np.inf
    for frame in frames:
        reach = 6.0 if not np.isfinite(shortest) else float(shortest)
        distances = neighbor_list("d", frame.atoms, reach)
        if len(distances):
            shortest = min(shortest, float(distances.min()))
    return float(shortest)


def _check_cutoffs(study: Study, frames: Sequence[Frame], findings: Findings) -> None:
    """A cutoff below the nearest neighbour sees nothing."""
    shortest = nearest_neighbour(frames)
    if np.isfinite(shortest):
        findings.facts.append(f"shortest interatomic distance in the training set: {shortest:.3g} Å")
    for parameter in study.space:
        name = parameter.name.rsplit(".", 1)[-1]
        if name in ("rcutfac", "cutoff") and not isinstance(parameter, Choice) and parameter.low < shortest:
            findings.warnings.append(
                f"'{parameter.name}' may go down to {parameter.low:g} Å, "
                f"below the shortest distance {shortest:.3g} Å"
            )


def _time_a_trial(study: Study, findings: Findings) -> None:
    values = study.space.from_unit([0.5] * len(study.space))
    with tempfile.TemporaryDirectory() as folder:
        result = study.runner.run(TrialTask(0, values, str(Path(folder) / "trial"), study.config.seed))
    total = result.seconds.get("total", 0.0)
    if result.failure is not None:
        hint = f" ({result.failure.hint})" if result.failure.hint else ""
        findings.warnings.append(
            f"a trial in the middle of the ranges is {result.state} in stage {result.failure.stage}: "
            f"{result.failure.message}{hint}"
        )
        return
    trials = study.config.budget.trials
    minutes = total * trials / study.executor.instance.capacity / 60
    findings.facts.append(
        f"one trial in the middle of the ranges takes {total:.2g} s; {trials} trials about {minutes:.2g} min "
        "without the optimizer"
    )
