"""What makes two runs the same study, and the check of it before a store is written to."""

from __future__ import annotations

import logging
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from xpot_core import __version__
from xpot_core.data.dataset import group_table
from xpot_core.errors import StudyChangedError
from xpot_core.search.earlier_studies import adopt_priors, extend_store
from xpot_core.space.as_json import space_to_json
from xpot_core.space.read import inherited_scales
from xpot_core.store.store import Store
from xpot_core.study_file.schema import StudyConfig
from xpot_core.trial.runner import TrialRunner

STUDY_NAME = "study.yaml"
_AS_WRITTEN = ("predictor", "objectives", "search", "fidelity")
"""Parts of the study file that are kept as the user wrote them."""
_logger = logging.getLogger("xpot")


def open_study(runner: TrialRunner, store: Store, directory: Path, *, extend: bool = False) -> list[str]:
    """Check that the store belongs to the study, or make it so, and write what the study is.

    Parameters
    ----------
    runner
        Runs the trials of the study that begins.
    store
        Its store, whose lease is held.
    directory
        Its folder.
    extend
        The search space may differ: the trials so far are expressed in it.

    Returns
    -------
    list of str
        What the user should know.

    Raises
    ------
    StudyChangedError
        If the trials there would not compare with those to come. Nothing is changed then.
    """
    now, known = identity(runner), store.get("identity")
    sentences: list[str] = []
    if known is None:
        store.set("identity", now)
        store.set("created", time.time())
        sentences += scales_told(runner)
    else:
        changed = [part for part, value in now.items() if _differs(runner, part, known.get(part), value)]
        for part in changed:
            if part != "fitter" or not extend:
                raise _changed(runner, directory, part, known.get(part), now[part], store.get("study"))
        if changed:
            sentences += extend_store(store, runner, now, directory)
    requeued = store.requeue()
    if requeued:
        sentences.append(
            f"{requeued} trials were at work when the process of the study ended without a word: they are run again"
        )
        if "serial" in runner.study.config.executor:
            sentences.append(
                "if a fit crashes the process each time, --workers 1 makes that cost its trial alone"
            )
    raw, sets = dict(runner.study.raw), runner.dataset.sets
    store.set("base", str(runner.study.base))
    for key, value in space_to_json(runner.space).items():
        store.set(key, value)
    store.set("versions", versions(runner))
    store.set("data", {name: group_table(frames) for name, frames in sets.items()})
    store.set("warnings", list(runner.dataset.warnings))
    # Last: whoever looks takes a store without it for a study that has not begun, and reads it first.
    store.set("study", raw)
    sentences += adopt_priors(store, runner, runner.study, directory)
    (directory / STUDY_NAME).write_text(runner.study.as_run(), encoding="utf-8")
    return sentences


def scales_told(runner: TrialRunner) -> list[str]:
    """A sentence where the scale of a written range is the fitter's and not the study file's."""
    name, raw = next(iter(runner.study.config.fitter.items()))
    data = runner.dataset.data
    found = inherited_scales(runner.fitter.provider.options, raw, groups=data.groups, elements=data.elements)
    if not found:
        return []
    return [
        f"searched on a logarithmic scale, as {name} declares: {', '.join(found)}; write log: true or false to choose"
    ]


def identity(runner: TrialRunner) -> dict[str, Any]:
    """What trials of one study must share to be comparable."""
    raw, config = runner.study.raw, runner.study.config
    return {
        "data": runner.dataset.fingerprint,
        "fitter": config.fitter,
        "loss": config.loss,
        "seed": config.seed,
        **{part: raw.get(part) for part in _AS_WRITTEN},
        "tests": [[dict(block), binding] for block, binding in runner.tests] or None,
    }


def _differs(runner: TrialRunner, part: str, old: Any, new: Any) -> bool:
    """Whether two values of a part mean different things: a default may be written or left out."""
    if old == new or part not in _AS_WRITTEN:
        return bool(old != new)
    raw = {k: v for k, v in runner.study.raw.items() if k != part}
    if old is not None:
        raw[part] = old
    try:
        return bool(getattr(StudyConfig.model_validate(raw), part) != getattr(runner.study.config, part))
    except ValidationError:
        return True


def versions(runner: TrialRunner) -> dict[str, str]:
    """Versions of Python, the core, the plugins in use and what they build on."""
    config = runner.study.config
    used = [(kind, config.name_of(kind)) for kind in ("fitter", "optimizer", "executor", "loss")]
    used += [("validator", next(iter(block))) for block in (*config.constraints, *config.validate_with)]
    providers = [runner.registry.provider(kind, name) for kind, name in used]  # type: ignore[arg-type]
    names = {"numpy", "scipy", "ase"} | {p for provider in providers for p in provider.packages}
    found = {"python": platform.python_version(), "xpot-core": __version__, **runner.registry.versions()}
    distributions = metadata.packages_distributions()
    for name in sorted(names):
        for distribution in distributions.get(name, [])[:1]:
            found[distribution] = metadata.version(distribution)
    return found


def _changed(
    runner: TrialRunner, directory: Path, part: str, old: Any, new: Any, raw: Any
) -> StudyChangedError:
    """What to tell of a changed part; `raw` is the study file as it was run before."""
    if part == "data":
        # Fingerprints tell nothing: either the block says something else now, or the files do.
        old, new = _data_blocks(raw or {}, runner.study.raw)
    key, before, after = _first_difference(part, old, new)
    what = f"was {before!r}, now is {after!r}" if old != new else "the content of the data files differs"
    same_fitter = part == "fitter" and set(old or ()) == set(new)
    extend = ", or go on in the changed space with --extend" if same_fitter else ""
    error = StudyChangedError(
        f"the study in {directory} was started differently: {what}",
        key=key,
        remedy="undo the change, give the study another name, start it anew with --restart (the old one "
        f"is kept beside it){extend}",
    )
    located = runner.study.located(error)
    assert isinstance(located, StudyChangedError)
    return located


def _data_blocks(*files: Any) -> list[Any]:
    """The data blocks of study files, with all their defaults so that they compare."""
    try:
        return [StudyConfig.model_validate(raw).data.model_dump(mode="json") for raw in files]
    except ValidationError:  # an older xpot took what this one refuses
        return [raw.get("data") for raw in files]


def _first_difference(key: str, old: Any, new: Any) -> tuple[str, Any, Any]:
    """Dotted key of the first difference between two trees."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            if old.get(name) != new.get(name):
                return _first_difference(f"{key}.{name}", old.get(name), new.get(name))
    return key, old, new
