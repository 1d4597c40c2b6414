"""``xpot best``: the values of the winner."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import (
    at_most_one,
    console,
    example,
    json_option,
    print_json,
    runs_option,
    say,
    study_argument,
)


@click.command(epilog=example("xpot best my-study", "xpot best my-study --yaml > fixed.yaml"))
@study_argument
@click.option("--trial", default="best", show_default=True, help="Number of another trial.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print a study file with these values fixed.")
@json_option
@runs_option
def best(study: str, trial: str, as_yaml: bool, as_json: bool, runs: Path) -> None:
    """Print the hyperparameters of the best trial, a line each."""
    from xpot_core.report.tables.terminal import facts
    from xpot_core.results.read import StudyResults

    at_most_one({"--yaml": as_yaml, "--json": as_json})
    results = StudyResults.open(study, runs)
    chosen = results.trial(trial)
    if as_yaml:
        from xpot_core.study_file.read import study_from_dict

        say(study_from_dict(results.fixed_study(chosen), results.facts["base"]).as_run(), nl=False)
    elif as_json:
        print_json(dict(chosen.values))
    else:
        console().print(facts((name, str(value)) for name, value in chosen.values.items()))
