"""Make docs/gallery.md and its figures from real runs on examples/silicon: ``make gallery``.

Five small studies, a few minutes on one core. Everything is written anew, so that the page always shows what
the present code draws; text and figures are committed, because a build of the documentation runs nothing.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from xpot_core.study_file.read import flow_yaml

DOCS = Path(__file__).parent
EXAMPLE = DOCS.parent / "examples" / "silicon"
FIGURES = DOCS / "_static" / "gallery"
MOST_BYTES = 1_500_000
"""All figures together: they stand in the repository."""
HEAVY = 90_000
"""SVG beyond this size is stored as PNG."""


@dataclass
class Shown:
    """A study of the gallery.

    Attributes
    ----------
    text
        What it shows.
    file
        Study file in examples/silicon.
    changes
        ``--set`` overrides.
    figures
        Names of the figures on the page, in order.
    """

    name: str
    title: str
    text: str
    figures: list[str]
    file: str = "study.yaml"
    changes: dict[str, object] = field(default_factory=dict)
    trials: int | None = None

    def command(self) -> list[str]:
        """Words of the command line, with the study file as it is in the repository."""
        words = ["xpot", "run", f"examples/silicon/{self.file}", "--set", f"study={self.name}"]
        if self.trials is not None:
            words += ["--trials", str(self.trials)]
        for key, value in self.changes.items():
            words += ["--set", f"{key}={flow_yaml(value)}"]
        return words


SERIAL: dict[str, object] = {"executor": "serial", "fitter.snap.twojmax": 4}
STUDIES = [
    Shown(
        "flat",
        "One level",
        "Quadratic SNAP by Bayesian optimization, a weight for each group of structures.",
        ["convergence", "chosen", "slices", "importance", "weights", "parity", "error-distribution"],
        changes=SERIAL,
        trials=40,
    ),
    Shown(
        "nested",
        "Two levels",
        "The optimizer moves the descriptors; an inner search finds the weights on the design that is kept.",
        ["inner-search", "pareto"],
        changes={**SERIAL, "search": "nested"},
        trials=15,
    ),
    Shown(
        "two-objectives",
        "Two objectives",
        "Energies against forces, without a balance chosen beforehand.",
        ["objectives-energy-force", "costs"],
        changes={**SERIAL, "objectives": ["energy", "force"], "optimizer": "optuna-nsga2"},
        trials=60,
    ),
    Shown(
        "constrained",
        "A constraint",
        "Every trial must give diamond its lattice constant and bulk modulus; one that does not is infeasible, "
        "whatever its loss.",
        ["convergence", "failures", "timeline"],
        changes={
            **SERIAL,
            "constraints": [
                {
                    "equation-of-state": {
                        "structure": {"crystal": "diamond", "species": "Si", "a": 5.45},
                        "reference": {"lattice_constant": 5.47, "bulk_modulus": 89},
                        "tolerances": {"lattice_constant": 0.005, "bulk_modulus": 0.1},
                    }
                }
            ],
        },
        trials=30,
    ),
    Shown(
        "tested",
        "Physical tests of the winner",
        "What the validators of xpot-lammps measure.",
        [
            "validator-dimer-Si-Si",
            "validator-equation-of-state-energy-against-volume",
            "validator-phonons-phonon-band",
            "validator-elastic-stiffness",
            "validator-lammps-md-temperature",
            "validator-lammps-md-radial-distribution",
        ],
        file="validate.yaml",
    ),
]


def main() -> None:
    """Run the studies, write figures and page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, help="Keep the run folders here, and use those that are there.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        page = make((arguments.runs or Path(scratch)).resolve())
    (DOCS / "gallery.md").write_text(page, encoding="utf-8")
    size = sum(p.stat().st_size for p in FIGURES.iterdir())
    print(f"wrote docs/gallery.md and {size / 1e6:.2f} MB of figures")
    if size > MOST_BYTES:
        sys.exit(f"the figures are heavier than {MOST_BYTES / 1e6} MB")


def make(runs: Path) -> str:
    """Figures into FIGURES; returns the page."""
    from xpot_core.report.figures.draw import make_figures
    from xpot_core.results.read import StudyResults

    for old in FIGURES.glob("*.*"):
        old.unlink()
    FIGURES.mkdir(parents=True, exist_ok=True)
    parts = [_head()]
    for shown in STUDIES:
        words = shown.command()
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from xpot_core.cli import main; main()",
                *words[1:],
                "--quiet",
                "--runs",
                runs,
            ],
            cwd=DOCS.parent,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        figures = make_figures(StudyResults.open(shown.name, runs))
        lines = [f"## {shown.title}", shown.text, f"```sh\n{_shell(words)}\n```"]
        for name in shown.figures:
            if name not in figures:
                sys.exit(f"study {shown.name} has no figure '{name}'; it has {', '.join(figures)}")
            lines.append(_figure(shown.name, figures[name]))
        parts.append("\n\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _head() -> str:
    from xpot_core import __version__

    today = datetime.date.today().isoformat()
    return (
        "<!-- Written by docs/make_gallery.py: edit that, and run `make gallery`. -->\n\n"
        "# Gallery\n\n"
        "Figures of `xpot report`, from real runs on the silicon data of `examples/silicon`: small studies of a "
        "small SNAP (`twojmax` 4), to show the figures and not the best potential. Each figure is also written as "
        "SVG, PDF and CSV by `xpot report STUDY --figures DIR`.\n\n"
        f"Made by `make gallery` on {today} with XPOT {__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, one thread."
    )


def _shell(words: list[str]) -> str:
    """A command of several lines that a shell understands."""
    text = ""
    for word in words:
        text += (" \\\n    " if word == "--set" else " " if text else "") + shlex.quote(word)
    return text


def _figure(study: str, figure: object) -> str:
    from xpot_core.report.figures.style import ReportFigure

    assert isinstance(figure, ReportFigure)
    svg = figure.svg().encode()
    heavy = len(svg) > HEAVY
    path = FIGURES / f"{study}-{figure.name}{'.png' if heavy else '.svg'}"
    path.write_bytes(figure.png() if heavy else b'<?xml version="1.0" encoding="utf-8"?>\n' + svg)
    width = "100%" if figure.wide else "60%"
    # A quotation mark would end the option of the directive early.
    alt = " ".join(figure.alt.split())
    return (
        f":::{{figure}} _static/gallery/{path.name}\n:alt: {alt}\n:width: {width}\n\n"
        f"**{figure.title}.** {figure.caption}\n:::"
    )


if __name__ == "__main__":
    main()
