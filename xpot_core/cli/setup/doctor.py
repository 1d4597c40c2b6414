"""``xpot doctor``: faults found before hours are spent."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import (
    console,
    example,
    json_option,
    open_study,
    print_json,
    runs_option,
    set_option,
    study_file_argument,
    trust_option,
    wide_option,
)


@click.command(epilog=example("xpot doctor study.yaml", "xpot doctor study.yaml --no-fit"))
@study_file_argument
@click.option("--no-fit", is_flag=True, help="Do not time one fit.")
@wide_option
@json_option
@trust_option
@runs_option
@set_option
def doctor(
    study_file: Path,
    no_fit: bool,
    wide: bool,
    as_json: bool,
    trust: bool,
    runs: Path,
    overrides: tuple[str, ...],
) -> int:
    """Check data, search space and installation, and time one fit. Exit status 1 on warnings."""
    from xpot_core.report.progress import tell_progress
    from xpot_core.setup.doctor import examine

    study = open_study(study_file, overrides, runs, trust)
    with tell_progress(console(stderr=True)) as study.runner.progress:
        findings = examine(study, measure=not no_fit)
    if as_json:
        print_json(findings.to_json())
        return int(bool(findings.warnings))
    from xpot_core.report.tables.terminal import PlainTable, names, numbers, texts

    out = console(wide=wide)
    rows = [
        (
            row["set"],
            row["group"],
            *(str(row[k]) for k in ("structures", "atoms")),
            f"{row['energy_min']:.4g} to {row['energy_max']:.4g}",
            f"{row['force_max']:.3g}",
            str(row["virials"]),
        )
        for row in findings.groups
    ]
    heads = numbers("structures", "atoms", "energy\n(eV/atom)", "max force\n(eV/Å)", "virials")
    out.print(PlainTable([*names("set", "group"), *heads], rows))
    if findings.space:
        ranges = [(row["name"], row["range"]) for row in findings.space]
        out.print(PlainTable([*names("hyperparameter"), *texts("range")], ranges))
    if findings.influence:
        from xpot_core.report.statistics.influence import Influences, influences_from
        from xpot_core.report.tables.study import influence_table

        shown = Influences(influences_from(findings.influence))
        out.print(influence_table(shown, len(shown.structures)))
    for fact in findings.facts:
        out.print(fact, markup=False)
    for warning in findings.warnings:
        out.print(f"warning: {warning}", markup=False)
    out.print("no faults found" if not findings.warnings else f"{len(findings.warnings)} warnings")
    return int(bool(findings.warnings))
