"""``xpot run --dry-run``: the plan of a search, without writing anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xpot_core.cli.common import console

if TYPE_CHECKING:
    from xpot_core.study_file.read import StudyFile


def tell_plan(file: StudyFile, runs: Path, repeat: int | None) -> None:
    """Print what would be searched, the budget, and what one measured trial says of time and memory.

    Parameters
    ----------
    file
        The study file with its overrides.
    runs
        Folder of run folders; is looked into only.
    repeat
        As `xpot run` takes it.
    """
    from xpot_core.family.members import members_of
    from xpot_core.report.tables.terminal import PlainTable, facts, names, texts
    from xpot_core.search.loop import Study
    from xpot_core.setup.doctor import Findings
    from xpot_core.setup.doctor.study_checks import time_a_trial
    from xpot_core.space.parameters import range_text

    members = members_of(file, repeat) if repeat is not None or file.config.matrix else ()
    study, out = Study(members[0].study_file(file) if members else file, runs), console()
    study.check_loss()
    budget, data = study.config.budget, study.dataset
    limits = {"time": budget.time, "patience": budget.patience, "target": budget.target}
    sets = {name: len(frames) for name, frames in data.sets.items() if frames}
    kind = f", {data.kfold}-fold cross-validation" if data.kfold else ""
    rows = [
        ("study", study.config.study + (f", the first of {len(members)} members" if members else "")),
        ("folder", f"{study.directory}, {'which is there already' if study.directory.exists() else 'new'}"),
        *((key, study.config.name_of(key)) for key in ("fitter", "loss", "optimizer", "executor")),
        ("structures", ", ".join(f"{n} {name}" for name, n in sets.items()) + kind),
        ("trials", str(budget.trials)),
        *((f"  {key}", str(value)) for key, value in limits.items() if value is not None),
    ]
    out.print(facts(rows))
    ranges = [(p.name, range_text(p)) for p in study.space]
    if ranges:
        out.print(PlainTable([*names("hyperparameter"), *texts("range")], ranges))
    findings = Findings()
    time_a_trial(study, findings)
    for line in findings.facts:
        out.print(line)
    for line in (*data.warnings, *findings.warnings):
        out.print(f"warning: {line}")
    out.print("nothing was written; xpot doctor looks at the data too")
