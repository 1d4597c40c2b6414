"""Studies side by side on the same structures: errors with intervals, cost, who is better.

Structures are resampled with replacement (bootstrap), the same draw for every study, so what is hard
for all of them cancels in the difference. Errors are those of the refitted winners; of a cross-validation,
those of the fits that left each fold out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from xpot_core.errors import InputError
from xpot_core.report.statistics.provenance import identity
from xpot_core.report.statistics.validators import ComparedTest, compare_tests, physics_verdict
from xpot_core.results.read import StudyResults
from xpot_core.statistics.number_text import duration, number
from xpot_core.statistics.outliers import outliers
from xpot_core.statistics.paired import SetComparison, compared_structures
from xpot_core.statistics.predictions import Structure, predictions_of
from xpot_core.types.quantities import QUANTITIES

FEW = 10
"""With fewer structures an interval says little."""
COMPARED = ("validation", "test")
COST_HEADS = (
    "study",
    "fitter",
    "optimizer",
    "trials",
    "failed",
    "best",
    "loss",
    "time",
    "per trial",
    "to best",
)
COST_TEXTS = 3
"""So many of them from the first hold words."""
# References that differ by more than this (eV/atom, eV/Å) are not one calculation.
_SAME_ENERGY, _SAME_FORCE = 1e-4, 1e-3


@dataclass
class Comparison:
    """The outcome; `physics` is a sentence a study on its physical tests, `notes` what a reader must know."""

    names: tuple[str, ...]
    results: tuple[StudyResults, ...]
    sets: list[SetComparison] = field(default_factory=list)
    tests: list[ComparedTest] = field(default_factory=list)
    physics: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def costs(self) -> list[dict[str, Any]]:
        """Trials, time and loss of each study."""
        rows = []
        for name, results in zip(self.names, self.results, strict=True):
            config, best = results.study_file.config, results.best
            spent = [t.seconds.get("total", 0.0) for t in results.trials]
            rows.append(
                {
                    "study": name,
                    "fitter": config.name_of("fitter"),
                    "optimizer": config.name_of("optimizer"),
                    "trials": len(results.trials),
                    "failed": sum(t.failure is not None for t in results.trials),
                    "best_trial": None if best is None else best.number,
                    "loss": None if best is None else best.loss,
                    "seconds": sum(spent),
                    "seconds_per_trial": float(np.median(spent)) if spent else None,
                    "seconds_to_best": None
                    if best is None
                    else sum(t.seconds.get("total", 0.0) for t in results.trials if t.number <= best.number),
                }
            )
        return rows

    def cost_rows(self) -> list[tuple[str, ...]]:
        """The cells of `COST_HEADS` for each study."""
        rows = []
        for row in self.costs():
            times = [row[k] for k in ("seconds", "seconds_per_trial", "seconds_to_best")]
            rows.append(
                (
                    *(row[k] for k in ("study", "fitter", "optimizer")),
                    *(number(row[k]) for k in ("trials", "failed", "best_trial", "loss")),
                    *("–" if t is None else duration(t) for t in times),
                )
            )
        return rows

    def to_json(self) -> dict[str, Any]:
        """The object that ``xpot compare --json`` prints."""
        return {
            "studies": self.costs(),
            "sets": [
                {
                    "set": s.name,
                    "structures": s.structures,
                    "errors": {
                        n: {
                            q: {"rmse": i.value, "low": i.low, "high": i.high, "unit": QUANTITIES[q].unit}
                            for q, i in row.items()
                        }
                        for n, row in s.errors.items()
                    },
                    "verdicts": [
                        {
                            "first": v.first,
                            "second": v.second,
                            "quantity": v.quantity,
                            "better": v.better,
                            "difference": v.difference.value,
                            "low": v.difference.low,
                            "high": v.difference.high,
                            "p": v.p,
                            "statement": v.text(),
                        }
                        for v in s.verdicts
                    ],
                    "outliers": {n: [o.to_json() for o in rows] for n, rows in s.outliers.items()},
                }
                for s in self.sets
            ],
            "tests": [test.to_json() for test in self.tests],
            "physics": self.physics,
            "notes": self.notes,
        }


def compare_studies(studies: Sequence[StudyResults], *, seed: int = 0) -> Comparison:
    """Compare the winners of two or more studies.

    Raises
    ------
    InputError
        If fewer than two studies are given, one has no winner yet, or they share no structures.
    """
    if len(studies) < 2:
        raise InputError("needs at least two studies", key="STUDY", remedy="xpot compare A B")
    comparison = Comparison(_names(studies), tuple(studies))
    predictions = []
    for name, results in zip(comparison.names, studies, strict=True):
        found = predictions_of(results)
        if not found:
            raise InputError(
                f"study '{name}' has no final potential to compare",
                file=results.directory,
                remedy=f"run it to its end: xpot run {results.directory / 'study.yaml'}",
            )
        predictions.append(found)
    _note_losses(comparison)
    for name in COMPARED:
        _compare_set(
            comparison,
            name,
            [p.get(name, []) for p in predictions],
            # Folds are predicted by fits that left them out, though the winner is trained on them.
            [
                []
                if name == "validation" and r.study_file.config.data.validation.kfold
                else p.get("train", [])
                for p, r in zip(predictions, studies, strict=True)
            ],
            seed,
        )
    if not comparison.sets:
        raise InputError(
            "the studies share no structures of a validation or test set: " + "; ".join(comparison.notes),
            key="STUDY",
            remedy="give them the same data.test file and run them again",
        )
    comparison.tests, remarks = compare_tests(comparison.names, studies)
    told = {n: physics_verdict(r) for n, r in zip(comparison.names, studies, strict=True)}
    comparison.physics = {name: sentence for name, sentence in told.items() if sentence}
    comparison.notes += remarks
    count = sum(len(s.verdicts) for s in comparison.sets)
    if len(studies) > 2:
        comparison.notes.append(f"the {count} pairwise intervals are not corrected for their number")
    if not any(s.name == "test" for s in comparison.sets):
        comparison.notes.append(
            "there is no common test set: the validation set was used to select the winners"
        )
    return comparison


def _names(studies: Sequence[StudyResults]) -> tuple[str, ...]:
    """Names of the studies; of equal ones, their folders."""
    counts = Counter(r.name for r in studies)
    names = [r.name if counts[r.name] == 1 else str(r.directory) for r in studies]
    if len(set(names)) < len(names):
        raise InputError("names one study twice", key="STUDY", value=", ".join(names))
    return tuple(names)


def _note_losses(comparison: Comparison) -> None:
    losses = [r.study_file.config.loss for r in comparison.results]
    if any(loss != losses[0] for loss in losses):
        comparison.notes.append("the losses are defined differently and do not compare")
    elif len({identity(r).get("data") for r in comparison.results}) > 1:
        comparison.notes.append("the data or their split differ: the losses do not compare")


def _compare_set(
    comparison: Comparison,
    name: str,
    found: Sequence[Sequence[Structure]],
    trained: Sequence[Sequence[Structure]],
    seed: int,
) -> None:
    lacking = [n for n, structures in zip(comparison.names, found, strict=True) if not structures]
    if lacking:
        if len(lacking) < len(found):
            comparison.notes.append(
                f"{', '.join(lacking)} has no {name} predictions: the {name} set is not compared"
            )
        return
    keyed = [_keyed(structures) for structures in found]
    common = [k for k in keyed[0] if all(k in other for other in keyed[1:])]
    sizes = ", ".join(f"{n} {len(k)}" for n, k in zip(comparison.names, keyed, strict=True))
    if not common:
        comparison.notes.append(f"the {name} sets have no structure in common ({sizes})")
        return
    if any(len(k) != len(common) for k in keyed):
        comparison.notes.append(
            f"the {name} sets differ ({sizes} structures): only the {len(common)} in common are compared"
        )
    if any(not _same_reference(keyed[0][k], other[k]) for k in common for other in keyed[1:]):
        comparison.notes.append(f"the reference values of the {name} sets differ: they are not compared")
        return
    for study, structures in zip(comparison.names, trained, strict=True):
        seen = {s.identity for s in structures} & {k[0] for k in common}
        if seen:
            comparison.notes.append(
                f"{len(seen)} structures of the {name} set stand in the training set of {study}: "
                "its error is too low"
            )
    if len(common) < FEW:
        comparison.notes.append(f"{len(common)} {name} structures are few: intervals are rough")
    matched = [[k[i] for i in common] for k in keyed]
    compared = compared_structures(comparison.names, name, matched, seed)
    made = {n: outliers({name: rows}) for n, rows in zip(comparison.names, matched, strict=True)}
    comparison.sets.append(replace(compared, outliers=made))


def _keyed(structures: Sequence[Structure]) -> dict[tuple[str, int], Structure]:
    """By identity; copies of one structure are told apart by their order."""
    seen: Counter[str] = Counter()
    found = {}
    for s in structures:
        found[s.identity, seen[s.identity]] = s
        seen[s.identity] += 1
    return found


def _same_reference(a: Structure, b: Structure) -> bool:
    if (
        a.energy is not None
        and b.energy is not None
        and abs(a.energy[0] - b.energy[0]) > _SAME_ENERGY * a.n_atoms
    ):
        return False
    if a.forces is not None and b.forces is not None:
        return bool(np.abs(a.forces[0] - b.forces[0]).max() <= _SAME_FORCE)
    return True
