"""Trials of other spaces made useful: earlier studies, and this study before its space was changed.

A trial is translated by what it really was: its complete options. A hyperparameter that was added
later takes the value that was fixed then; one that was dropped must have had the value that is fixed
now, otherwise the trial answers another question and is left out, by name and reason.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from xpot_core.errors import InputError
from xpot_core.optimize.objectives import Objective, loss_again
from xpot_core.options.check import validate_options
from xpot_core.plugins.interfaces import TableLoss
from xpot_core.results.read import StudyResults
from xpot_core.search.trial_tables import table_trials
from xpot_core.space.as_json import space_from_json, space_to_json
from xpot_core.space.parameters import Space, fill
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.study_file.read import StudyFile
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.trials import Origin, Trial, TrialState

PRIOR = "prior"
"""Stands for the optimizer in trials that came from an earlier study."""
_ABSENT = object()


@dataclass(frozen=True)
class Translation:
    """Trials in terms of the present space.

    Attributes
    ----------
    trials
        Those that can be used.
    left_out
        ``(which trial, why)`` of the others.
    outside
        Numbers of the usable ones that lie beyond the present ranges.
    remarks
        What else the user should know.
    """

    trials: tuple[Trial, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    outside: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """What the user should know about them: one line for each reason."""
        by_reason: dict[str, list[str]] = {}
        for which, why in self.left_out:
            by_reason.setdefault(why, []).append(which)
        lines = [
            *self.remarks,
            *(
                f"{len(which)} trials are of no use here, {which[0]} first: {why}"
                for why, which in by_reason.items()
            ),
        ]
        if self.outside:
            lines.append(
                f"{len(self.outside)} trials lie outside of the present ranges: Gaussian processes and forests "
                "learn from them, the other optimizers leave them out"
            )
        return lines


def look_up(tree: Any, path: str) -> Any:
    """Value at a dotted path; one value given for all groups or elements serves each of them.

    Raises
    ------
    KeyError
        If the path leads nowhere.
    """
    parts = path.split(".")
    node = tree
    for i, part in enumerate(parts):
        if isinstance(node, list | tuple) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict):
            # Group names may hold dots themselves.
            rest = ".".join(parts[i:])
            if rest in node:
                return node[rest]
            if part not in node:
                raise KeyError(path)
            node = node[part]
        elif isinstance(node, int | float | str) and i == len(parts) - 1:
            return node
        else:
            raise KeyError(path)
    return node


def translate(
    trials: Sequence[Trial],
    template: Any,
    model: type[BaseModel],
    space: Space,
    *,
    origin: str = "",
) -> Translation:
    """Express trials in a space.

    Parameters
    ----------
    trials
        Trials of another space.
    template
        The options tree of that space.
    model
        The fitter's options.
    space
        The present space.
    origin
        What the trials' numbers are numbers of, for messages.
    """
    now = validate_options(model, space.options(space.defaults())).model_dump()
    used, left_out, outside = [], [], []
    for trial in trials:
        tree = validate_options(model, fill(template, trial.values)).model_dump()
        values, reason = _express(tree, now, space)
        if reason:
            left_out.append((f"trial {trial.number}{origin}", reason))
            continue
        used.append(replace(trial, values=values))
        if not space.contains(values):
            outside.append(trial.number)
    return Translation(tuple(used), tuple(left_out), tuple(outside))


def _express(tree: Any, now: Any, space: Space) -> tuple[dict[str, Any], str]:
    """Values of the present hyperparameters in old options, or why there are none."""
    values: dict[str, Any] = {}
    for parameter in space:
        try:
            value = _single(look_up(tree, parameter.name))
        except KeyError:
            return {}, f"it has no value of '{parameter.name}'"
        if value is _ABSENT:
            return {}, f"its '{parameter.name}' differs from one group or element to another"
        if isinstance(value, tuple):
            value = list(value)
        if not _usable(parameter, value):
            return {}, f"'{parameter.name}' = {value!r} is not one of the choices"
        values[parameter.name] = value
    for name, value in _fixed(now, space):
        with contextlib.suppress(
            KeyError
        ):  # absent then, or there in another form: told by the leaves of then
            before = look_up(tree, name)
            if before != value and _single(before) != value:
                return {}, f"{name} was {before!r} and is {value!r} now"
    for name, before in _fixed(tree, space):
        try:
            value = look_up(now, name)
        except KeyError:
            return {}, f"{name} was {before!r} and does not exist now"
        if value != before and _single(value) != before:
            return {}, f"{name} was {before!r} and is {value!r} now"
    return values, ""


def _fixed(tree: Any, space: Space) -> Iterator[tuple[str, Any]]:
    """Leaves of an options tree that no hyperparameter of the space stands for."""
    for name, value in _leaves(tree):
        if not any(name == n or n.startswith(f"{name}.") or name.startswith(f"{n}.") for n in space.names):
            yield name, value


def _usable(parameter: Any, value: Any) -> bool:
    """Whether a value can at least be placed on the scale of a hyperparameter."""
    choices = getattr(parameter, "choices", None)
    if choices is not None:
        return bool(parameter.contains(value))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and not (parameter.log and value <= 0)


def _single(value: Any) -> Any:
    """The common value of a mapping by group or element, `_ABSENT` if there is none."""
    if not isinstance(value, dict):
        return value
    members = list(value.values())
    return members[0] if members and all(m == members[0] for m in members) else _ABSENT


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from _leaves(value, f"{prefix}{key}.")
    elif isinstance(tree, list | tuple) and tree:
        for i, value in enumerate(tree):
            yield from _leaves(value, f"{prefix}{i}.")
    else:
        yield prefix.removesuffix("."), tree


def prior_trials(study: Path, key: str, runner: TrialRunner) -> Translation:
    """Complete trials of an earlier study in terms of the present one.

    Their losses are computed anew from the stored error sums with the present loss, so an earlier
    study may have had another alpha. Trials on other data teach the optimizer, but cannot win.

    Parameters
    ----------
    study
        Its run folder.
    key
        In the study file, for messages.
    runner
        Of the present study.

    Raises
    ------
    InputError
        If the study does not exist or was made with another fitter.
    """
    fitter, loss = runner.fitter.name, runner.loss
    model, space, objectives = runner.fitter.provider.options, runner.space, runner.objectives
    fingerprint = runner.dataset.fingerprint
    try:
        results = StudyResults.open(study)
    except InputError as error:
        raise InputError(
            "is no run folder of a study",
            key=key,
            value=str(study),
            remedy="name a folder that xpot run made",
        ) from error
    made_with = results.study_file.config.name_of("fitter")
    if made_with != fitter:
        raise InputError(f"was made with fitter '{made_with}', not '{fitter}'", key=key, value=str(study))
    if results.facts.get("template") is None:
        raise InputError(
            "was made by an older xpot, which did not store its options", key=key, value=str(study)
        )
    other_data = (results.facts.get("identity") or {}).get("data") != fingerprint
    complete = [t for t in results.trials if t.state is TrialState.COMPLETE and t.fidelity is None]
    origin = f" of {results.name}"
    found = translate(complete, results.space.template, model, space, origin=origin)
    used, left_out = [], [*found.left_out]
    for trial in found.trials:
        value = loss_again(trial, loss) if isinstance(loss.instance, TableLoss) else trial.loss
        goals = _objectives_again(trial, value, objectives)
        if value is None or goals is None:
            left_out.append(
                (f"trial {trial.number}{origin}", "its loss or objectives cannot be computed from it")
            )
            continue
        used.append(
            replace(
                trial,
                loss=value,
                objectives=goals,
                optimizer=PRIOR,
                from_prior=True,
                origin=Origin(results.name, trial.number, other_data),
                # what ties it to other trials of its study ties it to none of this one
                promoted_from=None,
                inner_start={},
            )
        )
    return Translation(tuple(used), tuple(left_out), found.outside)


def _objectives_again(
    trial: Trial, loss: float | None, objectives: Sequence[Objective]
) -> tuple[float, ...] | None:
    if loss is None:
        return None
    errors = ErrorTable.from_json(trial.errors.get("validation", {}))
    values = tuple(o.of(loss, errors, trial.validators) for o in objectives)
    return values if all(v == v for v in values) else None


def adopt_priors(store: Store, runner: TrialRunner, file: StudyFile, directory: Path) -> list[str]:
    """Take the trials of the study file's ``prior`` into the store, each study once.

    Returns
    -------
    list of str
        What the user should know.
    """
    done: list[str] = store.get("priors") or []
    sentences: list[str] = []
    for i, name in enumerate(file.config.prior):
        key = f"prior.{i}"
        folder = _run_folder(name, file, directory)
        if folder == directory:
            raise file.located(InputError("is this study itself", key=key, value=name))
        if str(folder) in done:
            continue
        try:
            found = (
                _of_table(folder, key, runner)
                if folder.suffix == ".csv"
                else prior_trials(folder, key, runner)
            )
        except InputError as error:
            raise file.located(error) from error
        done = [*done, str(folder)]
        store.adopt(found.trials, {"priors": done})
        others = sum(t.origin is not None and t.origin.other_data for t in found.trials)
        note = f" ({others} on other data: they guide the search and cannot win)" if others else ""
        sentences += [f"{len(found.trials)} trials of {folder.name} are known beforehand{note}"]
        sentences += found.sentences()
    return sentences


def extend_store(
    store: Store, runner: TrialRunner, identity: Mapping[str, Any], directory: Path
) -> list[str]:
    """Express the trials of a study in its changed space; the file as it was is kept beside it.

    Returns
    -------
    list of str
        What the user should know.

    Raises
    ------
    InputError
        If the fitter is another one, or the store does not say what its trials were.
    """
    known = store.get("identity")["fitter"]
    if list(known) != list(identity["fitter"]):
        raise InputError(
            f"was {next(iter(known))}: a study can be extended with the same fitter only",
            key="fitter",
            value=next(iter(identity["fitter"])),
            remedy="give the study another name, and the old one as prior",
        )
    before = space_from_json({key: store.get(key) for key in ("space", "template")})
    if before.template is None:
        raise InputError(
            "the store was made by an older xpot, which did not store its options",
            key="--extend",
            remedy="start the study anew with --restart",
        )
    finished = [t for t in store.trials() if t.state.finished]
    model = runner.fitter.provider.options
    found = translate(finished, before.template, model, runner.space)
    backup = directory / f"before-{datetime.now():%Y%m%d-%H%M%S}.sqlite"
    store.copy_to(backup)
    facts = {"identity": dict(identity), **space_to_json(runner.space)}
    store.replace([replace(t, from_prior=True) for t in found.trials], facts)
    return [
        f"{len(found.trials)} of {len(finished)} trials go on in the changed space; "
        f"the study as it was is kept in {backup.name}",
        *found.sentences(),
    ]


def _of_table(path: Path, key: str, runner: TrialRunner) -> Translation:
    if [o.name for o in runner.objectives] != ["loss"]:
        raise InputError("a table knows the loss alone, not several objectives", key=key, value=str(path))
    trials, sentences = table_trials(path, key, runner.space, PRIOR)
    return Translation(tuple(trials), remarks=tuple(sentences))


def _run_folder(name: str, file: StudyFile, directory: Path) -> Path:
    """A prior by its path, from the study file's folder, or by its name beside this study."""
    for folder in (file.resolve(name), directory.parent / name):
        if (folder / STORE_NAME).is_file():
            return folder.resolve()
    return file.resolve(name).resolve()
