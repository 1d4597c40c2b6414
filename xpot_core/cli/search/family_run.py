"""What ``xpot run``, ``xpot show`` and ``xpot report`` do for a family of studies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpot_core.cli.common import console, print_json, say

if TYPE_CHECKING:
    from rich.console import Console

    from xpot_core.family import FamilyResults, Member
    from xpot_core.search.loop import Observer, Study
    from xpot_core.study_file.read import StudyFile


def family_of(study: str, runs: Path) -> FamilyResults | None:
    """The family that a user named; None for an ordinary study."""
    from xpot_core.family.results import FamilyResults

    return FamilyResults.find(study, runs)


def run_family(
    file: StudyFile,
    runs: Path,
    *,
    repeat: int | None,
    trials: int | None,
    restart: bool,
    extend: bool,
    quiet: bool,
) -> int:
    """Run or resume every member and print the summary; the exit status."""
    from xpot_core.family import Family
    from xpot_core.report.progress import make_observer
    from xpot_core.report.tables.family import family_renderables

    family = Family(file, runs, repeat=repeat)
    out, warned = console(), set()

    @contextmanager
    def watch(i: int, member: Member, study: Study) -> Iterator[Observer]:
        for warning in study.dataset.warnings:
            if warning not in warned:
                console(stderr=True).print(f"warning: {warning}", markup=False)
                warned.add(warning)
        if not quiet:
            out.print(f"member {i + 1} of {len(family.members)}: {member.name}", markup=False)
        with make_observer(out, quiet) as observer:
            yield observer

    outcome = family.run(trials=trials, restart=restart, extend=extend, watch=watch)
    for renderable in family_renderables(family.results()):
        out.print(renderable)
    for name, reason in outcome.failed.items():
        out.print(f"member {name} failed: {reason}", markup=False)
    for name, reason in outcome.skipped.items():
        out.print(f"member {name} was left out: {reason}", markup=False)
    if outcome.interrupted:
        out.print(f"{family.file.config.study}: interrupted; the same command continues it", markup=False)
    return 0 if outcome.good else 1


def show_family(
    family: FamilyResults,
    out: Console,
    *,
    as_json: bool,
    as_csv: bool,
    failed: bool,
    for_members: dict[str, Any],
) -> None:
    """Print a family as tables, JSON or CSV; `for_members` are options that only one study has."""
    from xpot_core.errors import InputError

    for name, given in for_members.items():
        if given:
            raise InputError(
                f"{name} needs one study, and this is a family of {len(family.members)}",
                key="STUDY",
                value=family.name,
                remedy=f"name a member, e.g. {family.name}/{family.members[0].name}",
            )
    if as_json:
        print_json(family.to_json())
        return
    from xpot_core.report.tables.family import family_csv, family_renderables

    if as_csv:
        say(family_csv(family), nl=False)
        return
    if failed:
        for member in family.failed:
            out.print(f"{member.name}: {member.reason}", markup=False)
        if not family.failed:
            out.print("no member failed")
        return
    for renderable in family_renderables(family):
        out.print(renderable)
