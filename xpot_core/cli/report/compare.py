"""``xpot compare``: studies side by side."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import (
    PATH,
    complete_studies,
    console,
    example,
    json_option,
    print_json,
    runs_option,
    say,
    wide_option,
)


@click.command(epilog=example("xpot compare si-gp si-sobol", "xpot compare si-gp si-sobol -o compare.html"))
@click.argument("studies", nargs=-1, required=True, metavar="STUDY STUDY...", shell_complete=complete_studies)
@click.option(
    "--figures", "figures_dir", type=PATH, metavar="DIR", help="Write a figure as SVG, PDF and CSV."
)
@click.option("--output", "-o", type=PATH, metavar="FILE", help="Write an HTML page.")
@wide_option
@json_option
@runs_option
def compare(
    studies: tuple[str, ...],
    figures_dir: Path | None,
    output: Path | None,
    wide: bool,
    as_json: bool,
    runs: Path,
) -> None:
    """Compare the winners of studies on the validation and test structures that they share.

    Errors have 95 % bootstrap intervals over structures; which study is better is judged from paired draws.
    Results of physical tests on the winners are listed side by side.
    """
    from xpot_core.report.statistics.compare import compare_studies
    from xpot_core.results.read import StudyResults

    comparison = compare_studies([StudyResults.open(study, runs) for study in studies])
    if as_json:
        print_json(comparison.to_json())
    else:
        from xpot_core.report.tables.compare import comparison_renderables

        out = console(wide=wide)
        for renderable in comparison_renderables(comparison):
            out.print(renderable)
    if figures_dir is not None:
        from xpot_core.report.tables.compare import comparison_figure

        files = comparison_figure(comparison).save(figures_dir)
        say(f"wrote {len(files)} files to {figures_dir}", err=True)
    if output is not None:
        from xpot_core.report.packages import require_report

        require_report()
        from xpot_core.report.html.compare import write_comparison

        say(f"wrote {write_comparison(comparison, output)}", err=True)
