"""Successive halving: many cheap trials, the best of them again at more cost.

The asynchronous form (ASHA): whenever a place is free, the best unpromoted trial of the highest rung
that has one among its best part goes on; otherwise a new point begins at the first rung, or with the brackets of
Hyperband at one of the others. Rungs are shared by the brackets.

Source: L. Li et al., Proc. Machine Learning and Systems 2, 230 (2020), and J. Mach. Learn. Res. 18, 185 (2018).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import BaseModel

from xpot_core.data.isolated_atoms import is_isolated
from xpot_core.errors import InputError, nearest
from xpot_core.optimize.objectives import front_numbers
from xpot_core.options.declare import list_item, option_info, submodel
from xpot_core.options.roles import Role
from xpot_core.space.parameters import Slot, Space
from xpot_core.study_file.schema import FidelityConfig
from xpot_core.types.structures import ALWAYS_TRAIN, EVALUATE_ONLY, FloatArray, TrainingData
from xpot_core.types.trials import Trial, TrialState

DATA = "data"


@dataclass(frozen=True)
class Ladder:
    """The rungs of a study.

    Attributes
    ----------
    option
        Dotted path of the fitter's option, or ``data``.
    rungs
        Values of the lower rungs, ascending; the study as it stands is the last one.
    keep
        Part of a rung that goes on.
    hyperband
        Whether some points begin at higher rungs.
    continues
        Whether a rung goes on from the checkpoint of the one below.
    """

    option: str
    rungs: tuple[float, ...]
    keep: float
    hyperband: bool = False
    continues: bool = False

    @classmethod
    def read(cls, config: FidelityConfig, model: type[BaseModel], space: Space) -> Ladder:
        """Check the block of a study file against the fitter.

        Raises
        ------
        InputError
            If the option does not exist, is searched or is not marked as converging, or the rungs
            do not ascend to its value.
        """
        rungs = tuple(config.rungs)
        if not rungs or list(rungs) != sorted(set(rungs)):
            raise InputError(
                "must ascend",
                key="fidelity.rungs",
                value=list(rungs),
                remedy=f"write {sorted(set(rungs))}" if rungs else "name at least one rung",
            )
        if config.option_path == DATA:
            if not (rungs[0] > 0 and rungs[-1] < 1):
                raise InputError(
                    "must lie between 0 and 1",
                    key="fidelity.rungs",
                    value=list(rungs),
                    remedy="the last rung, all data, is added by itself",
                )
            return cls(DATA, rungs, config.keep, config.brackets == "hyperband")
        top, role = _fixed_value(config.option_path, model, space)
        if any(r != int(r) for r in rungs) and isinstance(top, int):
            raise InputError(
                "must be integers",
                key="fidelity.rungs",
                value=list(rungs),
                remedy=f"{config.option_path} takes whole numbers only",
            )
        if not (isinstance(top, int | float) and rungs[-1] < top):
            raise InputError(
                f"must lie below the value of {config.option_path}",
                key="fidelity.rungs",
                value=list(rungs),
                remedy=f"{config.option_path} is {top!r}: that is the last rung",
            )
        return cls(config.option_path, rungs, config.keep, config.brackets == "hyperband", role is Role.STEPS)

    def tree(self, tree: Any, fidelity: float | None) -> Any:
        """The options of a rung: the tree with the option replaced."""
        if fidelity is None or self.option == DATA:
            return tree
        parts = self.option.split(".")

        def descend(node: Any, depth: int) -> Any:
            if depth == len(parts):
                return int(fidelity) if float(fidelity).is_integer() else fidelity
            if isinstance(node, list):
                i = int(parts[depth])
                return [*node[:i], descend(node[i], depth + 1), *node[i + 1 :]]
            return {**(node or {}), parts[depth]: descend((node or {}).get(parts[depth]), depth + 1)}

        return descend(tree, 0)

    def data(self, data: TrainingData, fidelity: float | None) -> TrainingData:
        """The frames of a rung: the same part of every group and fold, the external set whole."""
        if fidelity is None or self.option != DATA:
            return data
        rng = np.random.default_rng(0)
        kept = [True] * len(data.frames)
        cells: dict[tuple[str, int], list[int]] = {}
        for i, (frame, fold) in enumerate(zip(data.frames, data.folds, strict=True)):
            if fold != EVALUATE_ONLY and not is_isolated(frame.atoms):
                cells.setdefault((frame.group, fold), []).append(i)
        for (_, fold), members in cells.items():
            if fold == ALWAYS_TRAIN and len(members) < 3:
                continue  # a group this small stays whole
            chosen = set(rng.permutation(members)[: math.ceil(fidelity * len(members))].tolist())
            for i in members:
                kept[i] = i in chosen
        frames = tuple(f for f, keep in zip(data.frames, kept, strict=True) if keep)
        folds = tuple(f for f, keep in zip(data.folds, kept, strict=True) if keep)
        return replace(data, frames=frames, folds=folds)

    def next_rung(self, fidelity: float) -> float | None:
        """The rung above; None is the study itself."""
        i = self.rungs.index(fidelity) + 1
        return self.rungs[i] if i < len(self.rungs) else None

    def first_rung(self, begun: int) -> float | None:
        """Where the next new point begins.

        Parameters
        ----------
        begun
            How many points have begun.
        """
        if not self.hyperband:
            return self.rungs[0]
        levels = len(self.rungs) + 1
        # Bracket s has s promotions before it; each bracket costs about the same.
        sizes = [math.ceil(levels / (s + 1) * (1 / self.keep) ** s - 1e-9) for s in range(levels - 1, -1, -1)]
        rest = begun % sum(sizes)
        for level, size in enumerate(sizes):
            if rest < size:
                return self.rungs[level] if level < len(self.rungs) else None
            rest -= size
        raise AssertionError("the brackets do not add up")

    def promotion(self, trials: Sequence[Trial], remaining: int) -> Trial | None:
        """The trial that should go on to the next rung, highest rung first; None if none should.

        Parameters
        ----------
        trials
            All trials so far.
        remaining
            How many may still be begun. The last ones take the best to the top, whatever `keep` says: a
            search that ends below full cost has found nothing.
        """
        reached = any(t.fidelity is None and t.promoted_from is not None for t in trials)
        least = 1 if remaining <= len(self.rungs) and not reached else 0
        promoted = {t.promoted_from for t in trials}
        for rung in reversed(self.rungs):
            done = self._ranked(trials, rung)
            for trial in done[: max(least, int(len(done) * self.keep))]:
                if trial.number not in promoted:
                    return trial
        return None

    @staticmethod
    def _ranked(trials: Iterable[Trial], rung: float) -> list[Trial]:
        """The completed trials of a rung, best first; of several objectives front by front."""
        done = [t for t in trials if t.fidelity == rung and t.state is TrialState.COMPLETE]
        if all(len(_goals(t)) == 1 for t in done):
            return sorted(done, key=lambda t: (t.loss, t.number))
        fronts = front_numbers([_goals(t) for t in done])
        return [
            t for _, t in sorted(zip(fronts, done, strict=True), key=lambda p: (p[0], p[1].loss, p[1].number))
        ]

    def hopeless(self, trials: Sequence[Trial], remaining: int) -> list[Trial]:
        """Finished trials below full cost that no promotion can reach any more, whatever comes.

        Parameters
        ----------
        trials
            All trials so far.
        remaining
            How many may still be begun.
        """
        children = {t.promoted_from: t for t in trials if t.promoted_from is not None}
        found = []
        for rung in self.rungs:
            done = self._ranked(trials, rung)
            places = max(1, int((len(done) + remaining) * self.keep))
            for place, trial in enumerate(done):
                above = children.get(trial.number)
                if place >= places if above is None else above.state.finished:
                    found.append(trial)
        return found

    def view(self, trials: Sequence[Trial]) -> list[Trial]:
        """Each proposal once, with its loss at the highest rung that it reached, on the scale of the last.

        A loss below the last rung is lifted by the median ratio of the losses of those trials that ran on
        both rungs: a model must not take a rung for a property of the point.
        """
        by_number = {t.number: t for t in trials}
        children = {t.promoted_from: t for t in trials if t.promoted_from is not None}
        lift = self._lifts(trials, by_number)
        seen = []
        for trial in trials:
            if trial.promoted_from is not None:
                continue
            reached = trial
            while reached.number in children:
                above = children[reached.number]
                if above.state is not TrialState.COMPLETE:
                    break
                reached = above
            if reached.loss is None:
                seen.append(trial)
                continue
            goals = _goals(reached)
            if reached.fidelity is not None:
                goals = tuple(v * f for v, f in zip(goals, lift[reached.fidelity].tolist(), strict=True))
            loss = goals[0] if len(goals) == 1 else reached.loss
            seen.append(replace(trial, loss=loss, objectives=goals))
        return seen

    def _lifts(
        self, trials: Sequence[Trial], by_number: Mapping[int, Trial]
    ) -> dict[float | None, FloatArray]:
        """Rung -> factors that take its objectives to the last rung."""
        count = max((len(_goals(t)) for t in trials), default=1)
        lifts: dict[float | None, FloatArray] = {}
        factors = np.ones(count)
        for rung in reversed(self.rungs):
            ratios = []
            for trial in trials:
                below = None if trial.promoted_from is None else by_number.get(trial.promoted_from)
                if below is None or below.fidelity != rung or trial.state is not TrialState.COMPLETE:
                    continue
                if all(_goals(below)) and all(_goals(trial)):
                    ratios.append(np.divide(_goals(trial), _goals(below)))
            if ratios:
                factors = factors * np.median(ratios, axis=0)
            lifts[rung] = factors
        return lifts


def _goals(trial: Trial) -> tuple[float, ...]:
    """What a completed trial is judged by."""
    return trial.objectives or (() if trial.loss is None else (trial.loss,))


def _fixed_value(path: str, model: type[BaseModel], space: Space) -> tuple[Any, Role | None]:
    """Value of a converging option in the study and its role; the fitter's default if it is not written there."""
    owner: Any = model
    node: Any = space.template
    parts = path.split(".")
    for depth, part in enumerate(parts):
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
            continue
        field = getattr(owner, "model_fields", {}).get(part) if owner is not None else None
        if field is None:
            raise InputError(
                "the fitter has no such option",
                key="fidelity.option",
                value=path,
                remedy=nearest(path, [DATA, *_converging(model)]),
            )
        node = (
            node.get(part, field.get_default(call_default_factory=True)) if isinstance(node, dict) else None
        )
        if depth == len(parts) - 1:
            if not option_info(field).converges:
                raise InputError(
                    "is not an option that converges",
                    key="fidelity.option",
                    value=path,
                    remedy=f"use one of {', '.join([DATA, *_converging(model)])}",
                )
            if isinstance(node, Slot):
                raise InputError(
                    "is searched, so it cannot be raised from rung to rung",
                    key="fidelity.option",
                    value=path,
                    remedy="give it a fixed value",
                )
            return node, option_info(field).role
        owner = submodel(field.annotation) or submodel(list_item(field.annotation))
    raise InputError("names no single option", key="fidelity.option", value=path)


def _converging(model: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        inner = submodel(field.annotation) or submodel(list_item(field.annotation))
        if inner is not None:
            names += _converging(inner, f"{prefix}{name}." + ("N." if list_item(field.annotation) else ""))
        elif option_info(field).converges:
            names.append(f"{prefix}{name}")
    return names
