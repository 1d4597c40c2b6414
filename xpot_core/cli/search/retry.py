"""``xpot retry``: failed trials back to the queue."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import (
    at_most_one,
    console,
    example,
    runs_option,
    study_argument,
)


@click.command(epilog=example("xpot retry my-study", "xpot retry my-study --state TIMEOUT"))
@study_argument
@click.option(
    "--trial",
    "trials",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="N",
    help="This trial; repeatable.",
)
@click.option(
    "--state",
    "states",
    type=str,
    metavar="STATE,...",
    help="Trials in these states: FAILED, TIMEOUT, INFEASIBLE.",
)
@click.option("--all", "everything", is_flag=True, help="Every unsuccessful trial.")
@runs_option
def retry(study: str, trials: tuple[int, ...], states: str | None, everything: bool, runs: Path) -> None:
    """Let the next ``xpot run`` try failed trials again.

    Without options: those whose failure may not happen again, such as a lost worker or a full disk.
    """
    import contextlib

    from xpot_core.results.study_folder import study_directory
    from xpot_core.store.store import STORE_NAME, Store
    from xpot_core.types.trials import TrialState

    at_most_one({"--trial": trials, "--state": states, "--all": everything})
    directory = study_directory(study, runs)
    unsuccessful = (TrialState.FAILED, TrialState.TIMEOUT, TrialState.INFEASIBLE)
    wanted = _states(states, unsuccessful) if states else unsuccessful
    with contextlib.closing(Store(directory / STORE_NAME, make=False)) as store:
        # Whoever runs the study keeps its trials in memory: it would not see what changes here.
        store.acquire()
        try:
            chosen = list(trials)
            if not chosen:
                chosen = [
                    t.number
                    for t in store.trials()
                    if t.state in wanted
                    and not t.from_prior
                    and (everything or states or (t.failure is not None and t.failure.retryable))
                ]
            store.retry(chosen)
        finally:
            store.release()
        left = sum(t.state in unsuccessful and not t.from_prior for t in store.trials())
    out = console()
    if chosen:
        which = ", ".join(map(str, sorted(set(chosen))))
        out.print(f"{len(set(chosen))} trials run again with the next xpot run: {which}", markup=False)
    else:
        out.print("no trial to run again" + (": xpot retry --all takes every failure" if left else ""))
    if left:
        out.print(f"{left} unsuccessful trials stay as they are: xpot show {study} --failed", markup=False)


def _states(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    from xpot_core.errors import InputError, nearest

    names = tuple(part.strip().upper() for part in text.split(",") if part.strip())
    for name in names:
        if name not in known:
            raise InputError(
                "not a state of an unsuccessful trial", key="--state", value=name, remedy=nearest(name, known)
            )
    return names
