"""A study of XPOT written into an Optuna storage, to look at it with optuna-dashboard.

``python -m xpot_optuna.dashboard STUDY --storage sqlite:///study.db``
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage, InMemoryStorage, get_storage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from xpot_core.api import Choice, InputError, Int, Parameter, StudyResults, Trial, XpotError

HOST = "127.0.0.1"
"""No other machine reaches this address."""
_STATES = {
    "WAITING": TrialState.WAITING,
    "RUNNING": TrialState.RUNNING,
    "COMPLETE": TrialState.COMPLETE,
    "INFEASIBLE": TrialState.PRUNED,
    "FAILED": TrialState.FAIL,
    "TIMEOUT": TrialState.FAIL,
}
"""A trial that breaks a constraint is pruned, as Optuna says: it was ended on purpose."""


def to_optuna(study: str | Path, storage: str, *, runs: str | Path = "runs", name: str = "") -> optuna.Study:
    """Write a study into an Optuna storage, in the place of an earlier copy of it.

    Parameters
    ----------
    study
        File, run folder or name of the study; it may be running.
    storage
        What `optuna.create_study` takes, e.g. ``sqlite:///study.db``.
    runs
        Folder of the run folders.
    name
        Name in the storage; by default that of the study.

    Returns
    -------
    optuna.Study
        The copy. Numbers of trials are those of XPOT; loss parts, errors, seconds and failures are user attributes.

    Raises
    ------
    InputError
        If there is no such study, or the storage cannot be opened or written.
    """
    results = StudyResults.open(study, runs)
    try:
        try:
            opened = get_storage(storage)
        except (ImportError, ValueError) as error:  # no driver, or a kind that Optuna has given up
            raise OptunaError(error) from error
        return _copy(results, opened, name or results.name)
    except (SQLAlchemyError, OptunaError) as error:
        why, _, _ = str(error).partition("\n")
        raise InputError(
            f"cannot be used as a storage: {why}",
            key="storage",
            value=storage,
            remedy="name a database in a folder that can be written, e.g. sqlite:///study.db",
        ) from error


def show(directory: Path, port: int, opened: Callable[[str], None]) -> None:
    """Serve optuna-dashboard over a copy of a study in memory, on this machine and until Ctrl-C.

    Parameters
    ----------
    directory
        Run folder.
    port
        Where to listen; 0 takes a free one.
    opened
        Gets the address of the study's page.
    """
    from optuna_dashboard import wsgi

    results, storage = StudyResults.open(directory), InMemoryStorage()
    study = _copy(results, storage, results.name)
    with make_server(HOST, port, wsgi(storage), _Server, _Quiet) as server:
        opened(f"http://{HOST}:{server.server_port}/dashboard/studies/{study._study_id}")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


class _Server(ThreadingMixIn, WSGIServer):
    """A page asks for several things at once."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """No line for each request."""


def _copy(results: StudyResults, storage: BaseStorage, name: str) -> optuna.Study:
    if name in {s.study_name for s in optuna.get_all_study_summaries(storage)}:
        optuna.delete_study(study_name=name, storage=storage)
    objectives = results.objectives
    copy = optuna.create_study(study_name=name, storage=storage, directions=["minimize"] * len(objectives))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        copy.set_metric_names(list(objectives))
    for key, value in results.to_json().items():
        if key in ("study", "directory", "fitter", "optimizer", "versions", "test"):
            copy.set_user_attr(f"xpot:{key}", value)
    space = {p.name: _distribution(p) for p in results.space}
    copy.add_trials([_frozen(trial, space, len(objectives)) for trial in results.trials])
    return copy


def _distribution(p: Parameter) -> BaseDistribution:
    if isinstance(p, Choice):
        return CategoricalDistribution([_plain(c) for c in p.choices])
    kind = IntDistribution if isinstance(p, Int) else FloatDistribution
    return kind(p.low, p.high, log=p.log)


def _plain(value: Any) -> Any:
    """Optuna's choices are numbers and words; a list is written as text."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)


def _frozen(trial: Trial, space: Mapping[str, BaseDistribution], n_objectives: int) -> FrozenTrial:
    state = _STATES[str(trial.state)]
    values: Sequence[float] | None = None
    if state is TrialState.COMPLETE:
        values = list(trial.objectives) or [float(trial.loss or 0.0)]
        if len(values) != n_objectives:
            state, values = TrialState.FAIL, None
    params: dict[str, Any] = {}
    outside: dict[str, Any] = {}
    for key, value in trial.values.items():
        known = key in space and _fits(space[key], _plain(value))
        (params if known else outside)[key] = _plain(value)
    failure = trial.failure
    attributes: dict[str, Any] = {
        "state": str(trial.state),
        "optimizer": trial.optimizer,
        "worker": trial.worker,
        "seconds": dict(trial.seconds),
        **{f"loss:{part}": value for part, value in trial.parts.items()},
        **({"failure": f"{failure.stage}: {failure.message}", "hint": failure.hint} if failure else {}),
        **({"fidelity": trial.fidelity} if trial.fidelity is not None else {}),
        **({"outside the present space": outside} if outside else {}),
        **({"from an earlier study": True} if trial.from_prior else {}),
    }
    frozen = create_trial(
        # Optuna wants an end of what has ended; start and end are put in below.
        state=state,
        values=values,
        params=params,
        distributions={key: space[key] for key in params},
        user_attrs=attributes,
    )
    if trial.started is not None:
        frozen.datetime_start = datetime.fromtimestamp(trial.started)
        if state.is_finished():
            frozen.datetime_complete = datetime.fromtimestamp(max(trial.finished or 0.0, trial.started))
    return frozen


def _fits(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        prog="python -m xpot_optuna.dashboard", description="Write a study into an Optuna storage."
    )
    parser.add_argument("study", metavar="STUDY", help="study file, run folder or name")
    parser.add_argument("--storage", required=True, help="e.g. sqlite:///study.db")
    parser.add_argument("--runs", default="runs", help="folder that holds the run folders (default: runs)")
    parser.add_argument("--name", default="", help="name in the storage (default: that of the study)")
    given = parser.parse_args(arguments)
    logging.getLogger("optuna").setLevel(logging.WARNING)
    try:
        copy = to_optuna(given.study, given.storage, runs=given.runs, name=given.name)
    except XpotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    print(f"{len(copy.trials)} trials of {copy.study_name} are in {given.storage}; look at them with")
    print(f"  optuna-dashboard {given.storage}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
