"""``xpot report``: one HTML file with figures."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import (
    PATH,
    example,
    runs_option,
    say,
    study_argument,
)


@click.command(epilog=example("xpot report my-study", "xpot report my-study --open --figures figures"))
@study_argument
@click.option("--output", "-o", type=PATH, help="The HTML file; by default report.html in the run folder.")
@click.option(
    "--figures", "figures_dir", type=PATH, metavar="DIR", help="Also write each figure as SVG, PDF and CSV."
)
@click.option("--open", "in_browser", is_flag=True, help="Show the page in the browser.")
@runs_option
def report(study: str, output: Path | None, figures_dir: Path | None, in_browser: bool, runs: Path) -> None:
    """Write one self-contained HTML file with the figures of a study; it may be running."""
    import logging

    from xpot_core.cli.search.family_run import family_of
    from xpot_core.report.packages import require_report
    from xpot_core.results.read import StudyResults

    family = family_of(study, runs)
    results = StudyResults.open(study, runs) if family is None else None
    require_report()
    for name in ("matplotlib", "fontTools", "PIL"):
        # With --debug they write thousands of lines about fonts, which is nothing of ours.
        logging.getLogger(name).setLevel(logging.WARNING)
    if results is not None:
        from xpot_core.report.html.study import write_report

        path, files = write_report(results, output, figures_dir)
    else:
        from xpot_core.report.html.family import write_family_report

        assert family is not None
        path, files = write_family_report(family, output, figures_dir)
    say(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    if figures_dir is not None:
        say(f"wrote {len(files)} files to {figures_dir}")
    if in_browser:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            say("no browser was found here: open the file in one", err=True)
