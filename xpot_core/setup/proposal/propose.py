"""The study file that goes with the data: which options are searched, over which ranges."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from xpot_core.options.find import option_with
from xpot_core.options.roles import Role
from xpot_core.plugins.interfaces import ValidatorProvider
from xpot_core.plugins.registry import Registry
from xpot_core.setup.proposal.choices import WIDTH, Chosen, chosen_by, chosen_options, space_of
from xpot_core.setup.proposal.look import DataFacts
from xpot_core.space.parameters import Space
from xpot_core.study_file.read import flow_yaml
from xpot_core.study_file.schema import DEFAULT_LOSS
from xpot_core.study_file.template import comment_lines, other_fitters, path_from
from xpot_core.trial.inner_search import inner_names
from xpot_core.trial.panel import PANEL

_TRIALS_EACH = {"flat": 5, "nested": 10}
"""Trials for each hyperparameter that the optimizer moves."""
_FEWEST_TRIALS, _MOST_TRIALS = 30, 150
_INITIAL_EACH, _FEWEST_INITIAL = 2, 6
_VIRIALS = 0.1
"""Share of virials in the loss. A fixed weight is a tenth of one element's loss and half of another's."""
_TESTED = 5
_FEW_ROWS = 5000
"""Distinct forces and virials per element below which errors alone choose the wrong potential: among trials whose
losses hardly differ, some are unstable between the structures of the data. Si, Mo and Cu of Zuo et al. have 27,000 and
more, InP of FitSNAP's example 1,900, and the shipped silicon 1,500."""
_FOLDS = 5
_POINTS = 18
"""Of an iterative fit, which begin at the lowest rung: two of them come to full length."""
_KEEP = 3
"""One of so many goes on to the next rung, with so many times the steps."""
_HELD_OUT = 0.15
_MANY_FRAMES = 5000
"""Frames above which one held-out part says as much as a cross-validation, at a fifth of the cost."""


@dataclass(frozen=True)
class Wishes:
    """What a user chooses; None leaves it to the proposal.

    Attributes
    ----------
    folder
        Where the study file will stand: its relative paths start there.
    """

    train: tuple[Path, ...]
    validation: Path | None = None
    test: Path | None = None
    fitter: str | None = None
    optimizer: str | None = None
    study: str | None = None
    trials: int | None = None
    workers: int | None = None
    folder: Path = Path()


@dataclass(frozen=True)
class Proposal:
    """A study file with what was decided on the way.

    Attributes
    ----------
    text
        The file.
    searched
        How many hyperparameters it searches.
    """

    text: str
    study: str
    searched: int
    trials: int


def default_optimizer(registry: Registry) -> str:
    """The first of those here that begin with a design of their own and then learn; else ``sobol``."""
    for name in registry.preferred("optimizer"):
        if option_with(registry.provider("optimizer", name).options, Role.INITIAL_DESIGN):
            return name
    return "sobol"


def propose_study(facts: DataFacts, wishes: Wishes, registry: Registry) -> Proposal:
    """Write the study file that goes with data; nothing is read and nothing is asked.

    Parameters
    ----------
    facts
        What is in the training files, from `look_at`.
    wishes
        What the user chose.
    registry
        The installed plugins.

    Raises
    ------
    NotInstalledError
        If a named fitter or optimizer is not installed, or no fitter at all.
    """
    fitter = wishes.fitter or registry.default_fitter()
    optimizer = wishes.optimizer or default_optimizer(registry)
    model = registry.provider("fitter", fitter).options
    study = wishes.study or _name(wishes.train[0], fitter)
    tool = registry.provider("fitter", fitter).tool("propose")
    own = chosen_by(tool, facts) if tool is not None else {}
    options = chosen_options(model, facts, own)
    space = space_of(model, facts, options)
    search, moved = _search(registry, fitter, space)
    steps = _steps(model, options)
    trials = wishes.trials or (_trials(search, moved) if steps is None else _trials_of_rungs())
    lines = [
        *_header(facts, registry, fitter),
        f"study: {flow_yaml(study)}",
        "data:",
        *_data(facts, wishes, iterative=steps is not None),
        "fitter:",
        f"  {fitter}:" if options else f"  {fitter}: {{}}",
        *(line for chosen in options for line in chosen.lines("    ")),
        *_fidelity(steps),
        "loss:",
        f"  {DEFAULT_LOSS}:",
        *_loss(facts, registry.provider("loss", DEFAULT_LOSS).options),
        f"search: {search}{_about(search, len(space) - moved)}",
        f"optimizer: {_optimizer(registry, optimizer, trials, moved)}",
        f"budget: {{trials: {trials}}}            # {len(space)} hyperparameters; also: time: 2h, patience: 20",
        *_constraints(facts, registry, search),
        "validate: default              # cheap physical tests of the best trials",
        f"validate_best: {_TESTED}               # the first of so many that passes them wins",
        f"executor: {_executor(wishes.workers)}",
        "seed: 1",
    ]
    return Proposal("\n".join(lines) + "\n", study, len(space), trials)


def _header(facts: DataFacts, registry: Registry, fitter: str) -> list[str]:
    sentences = [
        f"Proposed by xpot init from {', '.join(Path(f).name for f in facts.files)}:",
        *(f"- {sentence}" for sentence in facts.sentences()),
        f"Fitter: {registry.provider('fitter', fitter).summary}.",
        *other_fitters(registry, fitter),
        f"Check it with: xpot doctor FILE. All options: xpot init --fitter {fitter}.",
    ]
    return [
        line
        for sentence in sentences
        for line in comment_lines(sentence, WIDTH, initial_indent="# ", subsequent_indent="#   ")
    ]


def _name(train: Path, fitter: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9]+", "-", re.sub(r"(?i)[-_.]?train(ing)?", "", train.stem)).strip("-")
    return f"{stem}-{fitter}" if stem else f"my-{fitter}"


def _search(registry: Registry, fitter: str, space: Space) -> tuple[str, int]:
    """``nested`` where weights can be searched inside each trial, and how much is left to the optimizer."""
    staged = hasattr(registry.provider("fitter", fitter).factory(), "prepare")
    inner = len(inner_names(space)) if staged else 0
    return ("nested", len(space) - inner) if 0 < inner < len(space) else ("flat", len(space))


def _about(search: str, inner: int) -> str:
    return f"                 # {inner} weights and penalties inside each trial" if search == "nested" else ""


def _trials(search: str, moved: int) -> int:
    wanted = min(max(_TRIALS_EACH[search] * moved, _FEWEST_TRIALS), _MOST_TRIALS)
    return max(10 * math.ceil(wanted / 10), 2 * moved)


# -- iterative fits ----------------------------------------------------------------------------


def _steps(model: type[BaseModel], options: list[Chosen]) -> tuple[str, int] | None:
    """The option that counts the steps of an iterative fit, and its value; None for other fits."""
    name = option_with(model, Role.STEPS)
    if name is None:
        return None
    written = {o.name: o.value for o in options}
    return name, int(written.get(name, model.model_fields[name].default))


def _trials_of_rungs() -> int:
    """Those of all rungs: each counts for itself."""
    return sum(_POINTS // _KEEP**rung for rung in range(3))


def _fidelity(steps: tuple[str, int] | None) -> list[str]:
    if steps is None:
        return []
    name, most = steps
    rungs = sorted({max(most // _KEEP**2, 1), max(most // _KEEP, 1)} - {most})
    if not rungs:
        return []
    return [
        "# Rungs: the best third of the trials goes on from its checkpoint; only a full-length trial can win.",
        f"fidelity: {flow_yaml({'option': name, 'rungs': rungs})}",
    ]


# -- the data block --------------------------------------------------------------------------


def _data(facts: DataFacts, wishes: Wishes, *, iterative: bool) -> list[str]:
    def path(file: Path) -> str:
        return flow_yaml(path_from(file, wishes.folder))

    files = [path(f) for f in wishes.train]
    lines = [f"  train: {files[0] if len(files) == 1 else '[' + ', '.join(files) + ']'}"]
    if wishes.validation is not None:
        lines.append(f"  validation: {path(wishes.validation)}")
    elif iterative:
        lines.append(
            f"  validation: {{fraction: {_HELD_OUT}, copies: together}}  # a fit takes long: no cross-validation"
        )
    elif facts.frames > _MANY_FRAMES:
        lines.append("  validation: {fraction: 0.1}    # many structures: one held-out part is enough")
    else:
        free = facts.frames - sum(g.frames for g in facts.groups if g.isolated)
        lines.append(
            f"  validation: {{kfold: {min(_FOLDS, max(free, 2))}, copies: together}}  # cross-validation"
        )
    if wishes.test is not None:
        lines.append(f"  test: {path(wishes.test)}")
    else:
        lines.append("  # test: test.xyz               # evaluated once, at the end")
    keys = {"energy": facts.energy, "forces": facts.forces, "virial": facts.virial}
    if facts.stress:
        keys["stress"] = facts.stress
    lines.append(f"  keys: {flow_yaml(keys)}")
    if facts.group_by is not None:
        lines.append(f"  group_by: {flow_yaml(facts.group_by)}")
    return lines


def _loss(facts: DataFacts, model: type[BaseModel]) -> list[str]:
    balance, weights = (option_with(model, role) for role in (Role.BALANCE, Role.GROUP_WEIGHTS))
    value = "0.5" if facts.forces else "1.0"
    lines = [f"    {balance}: {value}                   # balance of energies (1) and forces (0)"]
    virials = option_with(model, Role.VIRIAL_BALANCE)
    if virials and facts.has_virials:
        lines.append(f"    {virials}: {_VIRIALS}                  # elasticity is learnt from virials")
    molecules = [g.name for g in facts.groups if g.molecules]
    if molecules and len(molecules) < len(facts.groups):
        lines += [
            "    # Single atoms and pairs make the potential repulsive; their large errors would dominate the loss.",
            f"    {weights}: {flow_yaml(dict.fromkeys(molecules, 0))}",
        ]
    return lines


def _optimizer(registry: Registry, name: str, trials: int, moved: int) -> str:
    options = registry.provider("optimizer", name).options
    option = option_with(options, Role.INITIAL_DESIGN)
    if option is None or options.model_fields[option].default is None:
        return name  # one without a default sizes its design by the hyperparameters
    initial = min(max(_INITIAL_EACH * moved, _FEWEST_INITIAL), max(trials // 2, 1))
    return f"{{{name}: {{{option}: {initial}}}}}"


def _constraints(facts: DataFacts, registry: Registry, search: str) -> list[str]:
    """What the data leave open is tested in each trial, where a trial is cheap."""
    tests = [
        name
        for name in registry.names("validator")
        if (provider := registry.get(ValidatorProvider, name)).constrains and not provider.missing()
    ]
    if search != "nested" or not tests or facts.components >= _FEW_ROWS * len(facts.elements):
        return []
    return [
        f"# {facts.components} distinct forces and virials say little about structures between those of the data:",
        "# every trial is tested too. One that fails cannot win.",
        f"constraints: [{{{PANEL}: {{tests: {flow_yaml(tests)}}}}}]",
    ]


def _executor(workers: int | None) -> str:
    count = cores() if workers is None else workers
    return f"{{local: {{workers: {count}}}}}" if count > 1 else "serial"


def cores() -> int:
    """Cores that this process may use, at most 8: more workers than that learn little from each other."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, 8)
