"""Physical tests of the winners of several studies, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xpot_core.report.statistics.series import verdict
from xpot_core.results.read import StudyResults
from xpot_core.statistics.number_text import number
from xpot_core.types.trials import best_of
from xpot_core.types.validating import ValidatorRow

_LONGEST = 90
"""Characters of what a failed test says that stand in the verdict."""
HEADS = ("test", "value")
"""Columns before those of the studies."""


def winner_tests(results: StudyResults) -> list[ValidatorRow]:
    """What physical tests said about the winner: the constraints of the search, then those at the end."""
    binding = {next(iter(block)) for block in results.study_file.config.constraints}
    best = results.best
    during = () if best is None else best.validators
    return [*(row for row in during if row.validator in binding), *results.final_tests]


def physics_verdict(results: StudyResults) -> str:
    """What the physical tests say about the winner, in one sentence; empty where none was done."""
    rows = winner_tests(results)
    failed = [row for row in rows if row.passed is False]
    done = sum(row.passed is not None for row in rows)
    if not done:
        return ""
    left = f"; {len(rows) - done} could not be done" if done < len(rows) else ""
    if failed:
        told = "; ".join(f"{row.validator}: {_short(row.summary)}" for row in failed)
        best = "numerically best, physically wrong: " if _smallest_loss(results) else ""
        return f"{best}fails {len(failed)} of {done} tests: {told}{left}"
    refused = [
        f"trial {one['trial']} ({', '.join(v['validator'] for v in one['validators'] if v['passed'] is False)})"
        for one in (results.final or {}).get("candidates", [])
        if any(v["passed"] is False for v in one["validators"])
    ]
    others = f"; numerically better but physically wrong: {', '.join(refused)}" if refused else ""
    return f"passes {'all ' if done > 1 else ''}{done} test{'s' if done > 1 else ''}{others}{left}"


def _smallest_loss(results: StudyResults) -> bool:
    best, smallest = results.best, best_of(results.trials)
    return best is not None and smallest is not None and best.number == smallest.number


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"


@dataclass(frozen=True)
class ComparedTest:
    """One validator on the winners of all studies.

    Attributes
    ----------
    name
        Of the validator; a second one of the same name gets a number.
    rows
        Study -> what its validator said; absent where it did not stand in the study.
    """

    name: str
    rows: Mapping[str, ValidatorRow]

    @property
    def values(self) -> tuple[str, ...]:
        """Names of all values, in the order in which the validators tell them."""
        return tuple(dict.fromkeys(k for row in self.rows.values() for k in row.values))

    def unit(self, value: str) -> str:
        """Of a value; empty where it has none."""
        return next((row.units[value] for row in self.rows.values() if value in row.units), "")

    def verdict(self, study: str) -> str:
        """``passed``, ``FAILED`` or ``did not run``; a dash without the test."""
        return verdict(self.rows[study].passed) if study in self.rows else "–"

    def to_json(self) -> dict[str, Any]:
        """One object of the list ``tests`` of ``xpot compare --json``."""
        return {
            "validator": self.name,
            "studies": {
                study: {k: getattr(row, k) for k in ("passed", "summary", "values", "options")}
                for study, row in self.rows.items()
            },
        }


def compare_tests(
    names: Sequence[str], studies: Sequence[StudyResults]
) -> tuple[list[ComparedTest], list[str]]:
    """Match the physical tests of the studies' winners by name and order.

    Parameters
    ----------
    names
        Of the studies, in their order.

    Returns
    -------
    tests, notes
        Notes say where a test was done with other options, so that its values do not compare.
    """
    rows = {name: dict(_numbered(results)) for name, results in zip(names, studies, strict=True)}
    found, notes = [], []
    for test in dict.fromkeys(t for own in rows.values() for t in own):
        own = {study: tests[test] for study, tests in rows.items() if test in tests}
        found.append(ComparedTest(test, own))
        given = [row.options for row in own.values()]
        if any(options != given[0] for options in given):
            notes.append(f"{test} had other options in {' and '.join(own)}: its values need not compare")
    return found, notes


def _numbered(results: StudyResults) -> Iterator[tuple[str, ValidatorRow]]:
    """Tests of the winner: those of the constraints, then those after the refit that add to them."""
    config, final = results.study_file.config, results.final or {}
    tested = results.final_tests
    known = {row.validator for row in tested}
    winner = next((t for t in results.trials if t.number == final.get("trial")), None)
    blocks = {name: block[name] for block in config.constraints for name in block}
    constraints = () if winner is None else winner.validators
    rows = [replace(r, options=blocks.get(r.validator)) for r in constraints if r.validator not in known]
    seen: Counter[str] = Counter()
    for row in [*rows, *tested]:
        name = row.validator
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name} {seen[name]}"), row


def table_rows(test: ComparedTest, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Rows of a table: the verdicts, then each value with a column a study.

    Values that are zero for all are left out: a crystal has six empty classes of coordination numbers.
    """
    yield (test.name, "", *(test.verdict(n) for n in names))
    for value in test.values:
        shown = [test.rows[n].values.get(value) if n in test.rows else None for n in names]
        if any(shown):
            unit = test.unit(value)
            yield ("", f"{value} ({unit})" if unit else value, *(number(v) for v in shown))
