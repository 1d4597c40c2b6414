"""Committees: good models that lie apart, how much they disagree, and the frames where they disagree most.

Where models of one study that fit the data about equally well predict different things, the data do not decide: such
frames are worth a reference calculation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xpot_core.deliver.export import complete_or_absent, export_trial, potential_of
from xpot_core.errors import InputError
from xpot_core.results.read import StudyResults
from xpot_core.space.parameters import Space
from xpot_core.system.foreign_text import bare_file_name, json_printable
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import FloatArray, Frame
from xpot_core.types.trials import Trial, ranked

if TYPE_CHECKING:
    from ase import Atoms

COMMITTEE = "committee.json"
WORST = 1.5
"""A member's loss is at most this many times the smallest one: an error of a bad model is no doubt."""
SIMILAR = 0.03
"""Frames of one composition whose pair distributions differ by less than this, relatively, are near-duplicates."""
_RANGE, _WIDTH = 5.0, 0.2  # Å, of the pair distributions


def choose_members(trials: Iterable[Trial], space: Space, n: int, worst: float = WORST) -> list[Trial]:
    """The best trial, then one by one the trial farthest from all chosen ones in the unit cube of the space.

    Parameters
    ----------
    trials
        Of the study.
    space
        Its hyperparameters.
    n
        Number of members, at least 2.
    worst
        Largest loss of a member, relative to the smallest one.

    Raises
    ------
    InputError
        If there are not so many different trials with a loss as small as that.
    """
    if n < 2:
        raise InputError("a committee has at least two members", key="--committee", value=n)
    order = ranked(trials)
    if not order:
        raise InputError("no trial is complete yet", key="--committee", value=n)
    assert order[0].loss is not None
    # a loss may be below zero: then the distance from the best counts
    limit = order[0].loss + (worst - 1) * abs(order[0].loss)
    pool = [t for t in order if t.loss is not None and t.loss <= limit]
    points = np.array([space.to_unit(t.values) for t in pool]).reshape(len(pool), -1)
    chosen = [0]
    while len(chosen) < n:
        apart = np.linalg.norm(points[:, None] - points[chosen][None], axis=2).min(axis=1)
        farthest = int(np.argmax(apart))  # the first of equals has the smaller loss
        if apart[farthest] <= 1e-9:
            raise InputError(
                f"only {len(chosen)} different trials have a loss within {worst:g} times the smallest",
                key="--committee",
                value=n,
                remedy="ask for fewer members, or run more trials",
            )
        chosen.append(farthest)
    return [pool[i] for i in chosen]


def export_committee(
    results: StudyResults,
    n: int,
    to: Path,
    *,
    scripts: bool = False,
    tell: Callable[[str], None] | None = None,
) -> dict[str, str]:
    """Write the members, each in a folder ``trial-<number>`` as `export_trial` does, and ``committee.json``.

    Returns
    -------
    dict
        File or folder -> what it is.
    """
    runner = TrialRunner.of_results(results)
    members = choose_members(results.trials, runner.space, n)
    with complete_or_absent(to) as folder:
        return _write_members(results, members, runner, folder, scripts, tell)


def _write_members(
    results: StudyResults,
    members: Sequence[Trial],
    runner: TrialRunner,
    to: Path,
    scripts: bool,
    tell: Callable[[str], None] | None,
) -> dict[str, str]:
    written, entries = {}, []
    for trial in members:
        folder = f"trial-{trial.number}"
        if tell is not None:
            tell(f"trial {trial.number}: loss {trial.loss:.4g}")
        potential = export_trial(results, trial.number, to / folder, scripts=scripts, runner=runner).potential
        described = {**potential.to_json(), "directory": folder}
        entries.append(
            {"trial": trial.number, "loss": trial.loss, "values": dict(trial.values), "potential": described}
        )
        written[folder] = f"member with loss {trial.loss:.4g}"
    content = {"made_by": "XPOT", "study": results.name, "worst_loss": WORST, "members": entries}
    text = json_printable(json.dumps(content, indent=2, ensure_ascii=False))
    (to / COMMITTEE).write_text(text + "\n", encoding="utf-8")
    written[COMMITTEE] = "members with their hyperparameters; xpot select reads it"
    return written


def fit_committee(
    results: StudyResults, n: int, folder: Path, tell: Callable[[str], None] | None = None
) -> list[FittedPotential]:
    """The potentials of a committee, refitted in sub-folders."""
    runner = TrialRunner.of_results(results)
    potentials = []
    for trial in choose_members(results.trials, runner.space, n):
        if tell is not None:
            tell(f"fitting trial {trial.number}")
        own = folder / f"trial-{trial.number}"
        own.mkdir(parents=True)
        potentials.append(potential_of(results, trial, runner, own))
    return potentials


def load_committee(folder: Path) -> list[FittedPotential]:
    """The potentials that `export_committee` wrote, wherever the folder stands now.

    Raises
    ------
    InputError
        If it is no committee, or a file is missing or was changed.
    """
    path = folder / COMMITTEE
    try:
        members = json.loads(path.read_text(encoding="utf-8"))["members"]
        found = [FittedPotential.from_json(m["potential"]) for m in members]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"is no committee: {error}", file=path, remedy="xpot export STUDY --committee 5 --to DIR"
        ) from error
    places = [bare_file_name(str(p.directory), key="directory") for p in found]
    found = [replace(p, directory=folder / place) for p, place in zip(found, places, strict=True)]
    for potential in found:
        if (file := potential.spoilt()) is not None:
            raise InputError("is missing or was changed", file=file, remedy="export the committee again")
    return found


def predict_all(
    runner: TrialRunner, potentials: Sequence[FittedPotential], frames: Sequence[Frame], folder: Path
) -> list[Predictions]:
    """Predictions of every member.

    Raises
    ------
    InputError
        If a frame holds an element that the members do not know.
    """
    known = set(potentials[0].elements)
    for frame in frames:
        if missing := sorted(set(frame.atoms.get_chemical_symbols()) - known):
            raise InputError(f"{frame.source} holds {', '.join(missing)}, which the members do not know")
    return [runner.predict(p, frames, folder / f"member-{i}") for i, p in enumerate(potentials)]


@dataclass(frozen=True)
class Disagreement:
    """How far the members lie apart on one frame: standard deviations over the members.

    Attributes
    ----------
    energy
        Of the energy per atom, eV/atom.
    force
        The largest over the atoms of ``sqrt(<|F - <F>|^2>)``, eV/Å.
    """

    energy: float
    force: float


def disagreement(predictions: Sequence[Predictions], frames: Sequence[Frame]) -> list[Disagreement]:
    """Disagreement of the members on each frame.

    Parameters
    ----------
    predictions
        One per member, at least two.
    frames
        What was predicted.
    """
    if len(predictions) < 2:
        raise ValueError("one model cannot disagree with itself")
    found = []
    for i, frame in enumerate(frames):
        energies = np.array([p.energies[i] for p in predictions]) / frame.n_atoms
        forces = np.array([p.forces[i] for p in predictions])  # (members, atoms, 3)
        spread = np.sqrt(((forces - forces.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0))
        found.append(Disagreement(float(energies.std()), float(spread.max())))
    return found


def select_frames(
    frames: Sequence[Frame],
    found: Sequence[Disagreement],
    n: int,
    *,
    by: str = "force",
    similar: float = SIMILAR,
    known: Iterable[str] = (),
) -> list[int]:
    """Positions of the frames of largest disagreement, none nearly alike.

    Parameters
    ----------
    frames, found
        The pool and the disagreement on it.
    n
        How many; fewer are returned where the rest is too much alike.
    by
        Attribute of the disagreement that counts.
    similar
        Relative difference of pair distributions below which two frames of one composition are alike;
        0 refuses identical frames alone.
    known
        Identities of frames that are never taken, such as the training set.
    """
    seen = set(known)
    taken: list[int] = []
    prints: dict[str, list[FloatArray]] = {}
    for i in sorted(range(len(frames)), key=lambda i: -getattr(found[i], by)):
        if len(taken) == n:
            break
        frame = frames[i]
        if frame.identity in seen:
            continue
        if similar > 0:
            formula = frame.atoms.get_chemical_formula(empirical=True)
            own = pair_distribution(frame.atoms)
            # No neighbour within reach: nothing tells such frames apart but their identity.
            scale = float(np.linalg.norm(own))
            others = prints.setdefault(formula, [])
            if scale > 0 and any(np.linalg.norm(own - o) < similar * scale for o in others):
                continue
            others.append(own)
        seen.add(frame.identity)
        taken.append(i)
    return taken


def pair_distribution(atoms: Atoms) -> FloatArray:
    """Smoothed numbers of neighbours per atom against distance, one block per pair of elements.

    The same for rotated, shifted and repeated copies; a compressed cell differs.
    """
    from ase.neighborlist import neighbor_list

    first, second, distances = neighbor_list("ijd", atoms, _RANGE)
    numbers = atoms.get_atomic_numbers()
    grid = np.arange(0.5, _RANGE, _WIDTH / 2)
    kinds = sorted(set(numbers.tolist()))
    blocks = []
    for a in kinds:
        for b in kinds:
            own = distances[(numbers[first] == a) & (numbers[second] == b)]
            # Neighbours fade out towards the range, so that one that crosses it changes nothing.
            weight = np.cos(0.5 * np.pi * own / _RANGE) ** 2
            peaks = np.exp(-0.5 * ((own[:, None] - grid) / _WIDTH) ** 2)
            blocks.append((weight[:, None] * peaks).sum(axis=0) / len(atoms))
    return np.concatenate(blocks)


def marked(atoms: Atoms, position: int, value: Disagreement, **more: float) -> Atoms:
    """A copy with the disagreement in its info: ``energy_std``, ``force_std`` ..., of a committee or of one model."""
    copy = atoms.copy()
    of = "committee" if "committee_size" in more else "model"
    facts: Mapping[str, Any] = {
        f"{of}_energy_std": value.energy,
        f"{of}_force_std": value.force,
        "pool_index": position,
        **more,
    }
    copy.info.update(facts)
    return copy
