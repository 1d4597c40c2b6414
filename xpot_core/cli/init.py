"""``xpot init``: a commented study file from the declarations of the installed plugins."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import PATH


@click.command()
@click.option("--fitter", default="snap", show_default=True, help="Fitting framework.")
@click.option("--optimizer", default="sobol", show_default=True, help="Optimizer.")
@click.option("--study", "name", default="my-study", show_default=True, help="Name of the study.")
@click.option("--train", default="train.xyz", show_default=True, help="Training file.")
@click.option("--test", help="Test file.")
@click.option("--output", "-o", type=PATH, help="Write to a file instead of the terminal; never overwrites.")
@click.option("--from-fitsnap", type=PATH, metavar="FILE", help="Turn a FitSNAP input into a study file.")
@click.option("--from-gap-fit", metavar="COMMAND", help="Turn a gap_fit command line into a study file.")
def init(
    fitter: str,
    optimizer: str,
    name: str,
    train: str,
    test: str | None,
    output: Path | None,
    from_fitsnap: Path | None,
    from_gap_fit: str | None,
) -> None:
    """Print a study file with each option's meaning, unit, default and range."""
    from xpot_core.errors import InputError
    from xpot_core.study_template import imported_study, study_template

    if from_fitsnap is not None and from_gap_fit is not None:
        raise InputError("--from-fitsnap and --from-gap-fit exclude each other", remedy="give one of them")
    if from_fitsnap is not None:
        text = imported_study("from-fitsnap", str(from_fitsnap))
    elif from_gap_fit is not None:
        text = imported_study("from-gap-fit", from_gap_fit)
    else:
        text = study_template(fitter, optimizer, study=name, train=train, test=test)
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists():
        raise InputError("exists already", file=output, remedy="name another file, or remove it first")
    output.write_text(text, encoding="utf-8")
    click.echo(f"wrote {output}")
