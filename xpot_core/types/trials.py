"""Trials: what an optimizer proposes, what a worker gets and gives back, what the history is made of."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from xpot_core.types.learning_curve import CurvePoint, StopBound
from xpot_core.types.validating import ValidatorRow


@dataclass(frozen=True)
class InnerSearchResult:
    """The regression options that an inner search chose, and the way there.

    Attributes
    ----------
    values
        Hyperparameter name -> value found.
    default_loss
        Loss at the defaults of these hyperparameters.
    method
        ``gradient`` or ``derivative-free``.
    held_out
        The fold that the search did not see; None without one.
    stopped
        What ended it: ``converged``, ``iterations`` or ``held-out fold``.
    evaluations
        Number of points at which errors were computed.
    path
        Loss at each iteration, and that of the fold held out; one start after the other.
    """

    values: Mapping[str, float]
    default_loss: float
    method: str
    held_out: int | None
    stopped: str
    evaluations: int
    path: Sequence[tuple[float, float | None]]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form; ``InnerSearchResult(**data)`` reads it."""
        return asdict(self)


@dataclass(frozen=True)
class Candidate:
    """Values that an optimizer proposes: hyperparameter name -> value."""

    values: Mapping[str, Any]


class TrialState(enum.StrEnum):
    """Life of a trial.

    ``WAITING`` ones were interrupted and are run again first; ``PRUNED`` ones were stopped by the study, since their
    learning curve promised nothing.
    """

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    INFEASIBLE = "INFEASIBLE"
    TIMEOUT = "TIMEOUT"
    PRUNED = "PRUNED"

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to the trial."""
        return self not in (TrialState.WAITING, TrialState.RUNNING)


@dataclass(frozen=True)
class Failure:
    """Why a trial did not complete.

    Attributes
    ----------
    stage, plugin
        Where it happened.
    message, hint
        What happened, and what to do about it.
    log_tail
        Last words of the program.
    retryable
        Whether the same values may succeed another time.
    reason
        Code of the validator that refused the trial; empty where none was given.
    """

    stage: str
    plugin: str
    message: str
    hint: str = ""
    log_tail: str = ""
    retryable: bool = False
    reason: str = ""

    @property
    def place(self) -> str:
        """The stage, with the reason where there is one."""
        return f"{self.stage}: {self.reason}" if self.reason else self.stage

    @property
    def kind(self) -> str:
        """What failures alike share: plugin and reason, or the message without its numbers."""
        if self.reason:
            return f"{self.plugin}: {self.reason}"
        return f"{self.stage}: " + re.sub(r"[-+]?\d[\d.e+-]*", "#", self.message)


@dataclass(frozen=True)
class Request:
    """What is asked of a trial beside its values.

    Attributes
    ----------
    fidelity
        Below full cost (successive halving): the value of the option that is raised from rung to rung.
    promoted_from
        Number of the trial on the rung below that it repeats.
    inner_start
        Values that the inner search (`search: nested`) begins with; the defaults if empty.
    """

    fidelity: float | None = None
    promoted_from: int | None = None
    inner_start: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """The earlier study that made a trial.

    Attributes
    ----------
    study, trial
        Its name, and the number that the trial has there.
    other_data
        Its errors are those of other data, so the trial cannot win.
    """

    study: str
    trial: int
    other_data: bool = False


@dataclass(frozen=True)
class Trial:
    """One row of the history.

    Attributes
    ----------
    number
        0, 1, 2, ... in order of proposal.
    state
        See `TrialState`.
    values
        Hyperparameter name -> value, as proposed.
    loss
        The scalar loss of a COMPLETE trial.
    objectives
        The values minimised in a study with several objectives; else ``(loss,)``.
    parts
        Named parts of the loss.
    errors
        Set (``train``, ``validation``) -> ``ErrorTable.to_json()``.
    seconds
        Where the time went: ``descriptors``, ``solve``, ``predict``, ``total``.
    failure
        Present unless the trial is COMPLETE.
    refused_loss
        The loss of a trial that a constraint refused.
    curve
        The learning curve of an iterative fit.
    inner
        What the inner search of a nested study found.
    validators
        What the physical tests in the search said.
    metadata
        What the fitter says about its fit, by names of its own.
    from_prior
        The trial was made by an earlier study, or before the space was changed.
    origin
        The earlier study.
    fidelity, promoted_from, inner_start
        See `Request`.
    """

    number: int
    state: TrialState
    values: Mapping[str, Any]
    loss: float | None = None
    objectives: tuple[float, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    notes: tuple[str, ...] = ()
    potential: Mapping[str, Any] | None = None
    optimizer: str = ""
    worker: str = ""
    started: float | None = None
    finished: float | None = None
    refused_loss: float | None = None
    curve: tuple[CurvePoint, ...] = ()
    inner: InnerSearchResult | None = None
    validators: tuple[ValidatorRow, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    from_prior: bool = False
    origin: Origin | None = None
    fidelity: float | None = None
    promoted_from: int | None = None
    inner_start: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stopped_loss(self) -> float | None:
        """The loss at the step where a PRUNED trial was stopped."""
        return self.curve[-1].loss if self.state is TrialState.PRUNED and self.curve else None

    @property
    def comparable(self) -> bool:
        """Whether its loss compares with those of the study, so that it may win.

        A trial below full cost cannot, nor can one of an earlier study on other data.
        """
        whole = self.fidelity is None and not (self.origin and self.origin.other_data)
        return self.state is TrialState.COMPLETE and self.loss is not None and whole


@dataclass(frozen=True)
class TrialTask:
    """What an executor sends to a worker: names and JSON only.

    Attributes
    ----------
    fidelity, inner_start
        See `Request`.
    continues
        Folder of the trial whose fit this one continues; None for a fit from the start.
    bounds
        Where the fit is to be stopped.
    """

    number: int
    values: Mapping[str, Any]
    directory: str
    seed: int
    fidelity: float | None = None
    inner_start: Mapping[str, Any] = field(default_factory=dict)
    continues: str | None = None
    bounds: tuple[StopBound, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialTask:
        """Inverse of `to_json`."""
        return cls(**{**data, "bounds": tuple(StopBound(**bound) for bound in data.get("bounds", ()))})


@dataclass(frozen=True)
class TrialResult:
    """What comes back: the changes to the trial's row; its fields are those of `Trial`."""

    number: int
    state: TrialState
    loss: float | None = None
    objectives: tuple[float, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    notes: tuple[str, ...] = ()
    potential: Mapping[str, Any] | None = None
    worker: str = ""
    refused_loss: float | None = None
    curve: tuple[CurvePoint, ...] = ()
    inner: InnerSearchResult | None = None
    validators: tuple[ValidatorRow, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form; `from_json` reads it."""
        return {**asdict(self), "state": str(self.state)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialResult:
        """Inverse of `to_json`."""
        return cls(
            **{
                **data,
                "state": TrialState(data["state"]),
                "failure": Failure(**data["failure"]) if data.get("failure") else None,
                "objectives": tuple(data.get("objectives", ())),
                "notes": tuple(data.get("notes", ())),
                "curve": tuple(CurvePoint(**point) for point in data.get("curve", ())),
                "inner": InnerSearchResult(**data["inner"]) if data.get("inner") else None,
                "validators": tuple(ValidatorRow(**row) for row in data.get("validators", ())),
            }
        )


@dataclass(frozen=True)
class WorkerSpec:
    """All that a worker process needs to run trials of a study, JSON-able.

    Attributes
    ----------
    study
        The study file as plain data.
    base
        Folder that its relative paths start from.
    threads
        How many threads one trial may use.
    fingerprint
        Of the data set; a worker that reads other data refuses to work.
    """

    study: Mapping[str, Any]
    base: str
    threads: int = 1
    fingerprint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form; ``WorkerSpec(**data)`` reads it."""
        return {
            "study": dict(self.study),
            "base": self.base,
            "threads": self.threads,
            "fingerprint": self.fingerprint,
        }


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """Trials that may win, smallest loss first, the earlier one of equals first."""
    return sorted((t for t in trials if t.comparable), key=lambda t: (t.loss, t.number))


def best_of(trials: Iterable[Trial]) -> Trial | None:
    """The first of `ranked`."""
    return next(iter(ranked(trials)), None)
