"""One examination: data, consistency, study, installation, one measured trial."""

from __future__ import annotations

from xpot_core.data.dataset import group_table
from xpot_core.search.loop import Study
from xpot_core.search.study_identity import versions
from xpot_core.setup.doctor.consistency import check_consistency
from xpot_core.setup.doctor.data_checks import check_data
from xpot_core.setup.doctor.findings import Findings
from xpot_core.setup.doctor.study_checks import check_installation, check_space, time_a_trial
from xpot_core.space.parameters import range_text


def examine(study: Study, *, measure: bool = True) -> Findings:
    """Check data, space and installation of a study; with `measure`, run one trial."""
    findings = Findings(warnings=list(study.dataset.warnings))
    data = study.dataset.data
    sets = study.dataset.sets
    for name, frames in sets.items():
        findings.groups += [{"set": name, **row} for row in group_table(frames)]
    for parameter in study.space:
        findings.space.append({"name": parameter.name, "range": range_text(parameter)})
    folds = f", {study.dataset.kfold}-fold cross-validation" if study.dataset.kfold else ""
    findings.facts.append(f"elements {', '.join(data.elements)}; {len(study.space)} hyperparameters{folds}")
    findings.facts.append("versions: " + ", ".join(f"{k} {v}" for k, v in versions(study.runner).items()))
    check_installation(study, findings)
    check_data(sets, data.reference_energies, findings)
    check_consistency(sets["train"], findings)
    check_space(study, sets["train"], findings)
    study.check_loss()
    if measure:
        time_a_trial(study, findings)
    return findings
