"""``xpot select``: frames of a pool on which good models disagree, or of which one model is least sure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xpot_core.cli.common import (
    PATH,
    ask_trust,
    console,
    example,
    json_option,
    print_json,
    runs_option,
    say,
    study_argument,
    trust_option,
    wide_option,
)
from xpot_core.types.quantities import ENERGY, FORCE, QUANTITIES

if TYPE_CHECKING:
    from xpot_core.deliver.committee import Disagreement
    from xpot_core.results.read import StudyResults
    from xpot_core.trial.runner import TrialRunner
    from xpot_core.types.structures import Frame


@click.command(epilog=example("xpot select my-study --pool md.xyz --n 20 -o label-these.xyz"))
@study_argument
@click.option("--pool", type=PATH, required=True, help="Structures to choose from: anything that ASE reads.")
@click.option("--n", "count", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@click.option(
    "--committee",
    "members",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Number of models: good trials that differ, refitted here.",
)
@click.option(
    "--committee-dir", type=PATH, help="Models that `xpot export --committee` wrote, instead of fitting."
)
@click.option(
    "--by",
    type=click.Choice(["force", "energy", "variance", "leverage"]),
    default="force",
    show_default=True,
    help="force, energy: disagreement of a committee. variance, leverage: doubt of the best model about itself "
    "(linear fitters), without refits; leverage takes frames that tell most together.",
)
@click.option(
    "--similar",
    type=click.FloatRange(min=0),
    default=0.03,
    show_default=True,
    help="Relative difference of pair distributions below which two frames are alike; 0 allows all but copies.",
)
@click.option("--output", "-o", type=PATH, required=True, help="Extended XYZ file to write.")
@wide_option
@json_option
@trust_option
@runs_option
def select(
    study: str,
    pool: Path,
    count: int,
    members: int,
    committee_dir: Path | None,
    by: str,
    similar: float,
    output: Path,
    wide: bool,
    as_json: bool,
    trust: bool,
    runs: Path,
) -> None:
    """Select the frames of a pool on which a committee of good models disagrees most, or the best one is least sure.

    Near-duplicates and structures of the training set are left out. The disagreement is in the info of each frame.
    """
    from ase.io import write

    from xpot_core.data.files.structure_files import frames_of, read_images
    from xpot_core.deliver import committee
    from xpot_core.deliver.one_model import Doubt, doubts_and_choice
    from xpot_core.results.read import StudyResults
    from xpot_core.trial.runner import TrialRunner

    results = StudyResults.open(study, runs)
    ask_trust(results.study_file, trust)
    runner = TrialRunner.of_results(results)
    config = results.study_file.config.data
    images = read_images(pool, "--pool", text=[config.group_by])
    frames = frames_of(images, pool, config, labelled=False)
    found: Sequence[Disagreement]
    facts: dict[str, int] = {}
    if by in ("variance", "leverage"):
        found, taken = doubts_and_choice(results, runner, frames, count, by=by, similar=similar)
    else:
        potentials, found = _asked(results, runner, frames, members, committee_dir)
        facts = {"committee_size": potentials}
        known = [f.identity for f in runner.dataset.data.frames]
        taken = committee.select_frames(frames, found, count, by=by, similar=similar, known=known)
    output.parent.mkdir(parents=True, exist_ok=True)
    chosen = [
        committee.marked(
            images[i], i, value, **facts, **({"leverage": value.leverage} if isinstance(value, Doubt) else {})
        )
        for i, value in ((i, found[i]) for i in taken)
    ]
    write(output, chosen, format="extxyz")
    if as_json:
        rows = [
            {
                "index": i,
                "atoms": frame.n_atoms,
                "group": frame.group,
                "energy_std": ENERGY.factor * value.energy,
                "force_std": value.force,
                **({"leverage": value.leverage} if isinstance(value, Doubt) else {}),
                "selected": i in taken,
            }
            for i, (frame, value) in enumerate(zip(frames, found, strict=True))
        ]
        print_json({"committee": facts.get("committee_size"), "selected": taken, "frames": rows})
        return
    _show(frames, found, taken, by, wide)
    if len(taken) < count:
        say(f"{len(taken)} of {count}: the other frames are near-duplicates or stand in the training set")
    say(f"wrote {len(taken)} frames to {output}")


def _asked(
    results: StudyResults, runner: TrialRunner, frames: Sequence[Frame], members: int, given: Path | None
) -> tuple[int, list[Disagreement]]:
    """Size and disagreement of a committee, made here unless given."""
    import tempfile

    from xpot_core.deliver import committee

    tell = console(stderr=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given is not None:
            potentials = committee.load_committee(given)
        else:
            potentials = committee.fit_committee(
                results, members, folder, lambda t: tell.print(t, markup=False)
            )
        predictions = committee.predict_all(runner, potentials, frames, folder)
    return len(potentials), committee.disagreement(predictions, frames)


def _show(
    frames: Sequence[Frame], found: Sequence[Disagreement], taken: Sequence[int], by: str, wide: bool
) -> None:
    """The selected frames, and how the pool lies as a whole."""
    import numpy as np

    from xpot_core.deliver.one_model import Doubt
    from xpot_core.report.tables.terminal import PlainTable, names, numbers

    rows = []
    for i in taken:
        frame, value = frames[i], found[i]
        energy, force = f"{ENERGY.factor * value.energy:.2f}", f"{value.force:.3f}"
        rows.append((str(i), frame.group, str(frame.n_atoms), energy, force))
    heads = numbers("atoms", f"energy std {ENERGY.unit}", f"force std {FORCE.unit}")
    console(wide=wide).print(PlainTable([*names("frame", "group"), *heads], rows))
    if by == "leverage":
        outside = sum(value.leverage > 1 for value in found if isinstance(value, Doubt))
        say(f"{outside} of {len(frames)} frames lie outside of the training data (leverage above 1)")
        return
    by = "force" if by == "variance" else by
    shown = QUANTITIES[by]
    low, middle, high = (
        float(x) * shown.factor for x in np.percentile([getattr(v, by) for v in found], (5, 50, 95))
    )
    say(
        f"{by} std of all {len(frames)} frames: median {middle:.3g}, 5 to 95 %: {low:.3g} to {high:.3g} {shown.unit}"
    )
