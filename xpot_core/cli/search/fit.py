"""``xpot fit``: one fit at fixed values."""

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


@click.command(epilog=example("xpot fit study.yaml --set fitter.snap.rcutfac=4.6"))
@study_file_argument
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="Folder for the potential; by default fit/ in the run folder.",
)
@wide_option
@json_option
@trust_option
@runs_option
@set_option
def fit(
    study_file: Path,
    to: Path | None,
    wide: bool,
    as_json: bool,
    trust: bool,
    runs: Path,
    overrides: tuple[str, ...],
) -> None:
    """Fit once to all training frames and print the errors on every set.

    The fitter block must hold fixed values only; ``--set`` gives those that the study searches.
    """
    from xpot_core.errors import InputError, XpotError
    from xpot_core.report.progress import tell_progress
    from xpot_core.results.reported_errors import read_reported
    from xpot_core.trial.failure import failed_result
    from xpot_core.trial.final_model import final_model

    study = open_study(study_file, overrides, runs, trust)
    if len(study.space):
        name, fitter = study.space.names[0], study.runner.fitter.name
        raise study.file.located(
            InputError(
                f"{len(study.space)} options are searched here, first '{name}'",
                key=f"fitter.{fitter}.{name}",
                remedy=f"fix them, e.g. --set fitter.{fitter}.{name}=VALUE, or use xpot run",
            )
        )
    for warning in study.dataset.warnings:
        console(stderr=True).print(f"warning: {warning}", markup=False)
    directory = to or study.directory / "fit"
    try:
        with tell_progress(console(stderr=True)) as study.runner.progress:
            model = final_model(study.runner, {}, directory, seed=study.config.seed)
    except (XpotError, OSError):  # what the file system refuses is no fault of the fitter
        raise
    except Exception as error:
        failure = failed_result(0, error, "fit", f"fitter {study.runner.fitter.name}", directory).failure
        assert failure is not None
        raise XpotError(f"the fit failed: {failure.message}", remedy=failure.hint) from error
    summaries = {name: table.summary() for name, table in model.errors.items()}
    if as_json:
        content = {
            "potential": model.potential.to_json(),
            "errors": summaries,
            "seconds": dict(model.seconds),
        }
        reported = [{"set": name, **one.to_json()} for name, one in read_reported(directory)]
        print_json(content | ({"reported": reported} if reported else {}))
        return
    from xpot_core.report.tables.reported import reported_tables
    from xpot_core.report.tables.study import error_table

    out = console(wide=wide)
    for renderable in reported_tables(directory):
        out.print(renderable)
    out.print(error_table(model.errors, {name: name for name in model.errors}))
    for note in model.potential.notes:
        out.print(f"note: {note}", markup=False)
    out.print(
        f"potential: {', '.join(str(model.potential.path(r)) for r in model.potential.files)}", markup=False
    )
