"""A family read back: its members, and mean and spread of their winners."""

from __future__ import annotations

import contextlib
import json
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xpot_core.errors import InputError
from xpot_core.results.read import StudyResults
from xpot_core.results.study_folder import FAMILY_NAME
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.study_file.read import check_name, read_study
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import ENERGY, FORCE
from xpot_core.types.trials import Trial

SETS = ("validation", "test")
ERRORS = {f"{name}.{q.name}_rmse": (name, q) for name in SETS for q in (ENERGY, FORCE)}
"""Name of each error that is summarised -> its set and quantity."""
QUANTITIES = {"loss": "", **{key: q.unit for key, (_, q) in ERRORS.items()}}
"""What is summarised besides the hyperparameters -> its unit."""


@dataclass(frozen=True)
class Statistics:
    """Values of one quantity over the members of a point.

    Attributes
    ----------
    values
        One for each member that has it.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Arithmetic mean; NaN without values."""
        return statistics.fmean(self.values) if self.values else math.nan

    @property
    def std(self) -> float:
        """Sample standard deviation (n - 1); NaN for fewer than two values."""
        return statistics.stdev(self.values) if len(self.values) > 1 else math.nan

    def to_json(self) -> dict[str, Any]:
        """``n``, ``mean``, ``std``, ``min``, ``max``; None where there are too few values."""
        return {
            "n": len(self.values),
            "mean": _none(self.mean),
            "std": _none(self.std),
            "min": min(self.values, default=None),
            "max": max(self.values, default=None),
        }


@dataclass(frozen=True)
class MemberResults:
    """One member as it stands.

    Attributes
    ----------
    name, seed, values
        See `Member`.
    state
        ``waiting``, ``running``, ``interrupted``, ``ended`` or ``failed``.
    reason
        How it ended, in a sentence.
    study
        Its results; None before it began, or where they cannot be read.
    """

    name: str
    seed: int
    values: Mapping[str, Any]
    state: str
    reason: str
    directory: Path
    study: StudyResults | None

    @property
    def winner(self) -> Trial | None:
        """The trial that was refitted, else the best so far."""
        if self.study is None:
            return None
        if self.study.final is not None:
            number = self.study.final["trial"]
            return next((t for t in self.study.trials if t.number == number), None)
        return self.study.best

    @property
    def counts(self) -> bool:
        """Whether it belongs to the statistics: its search ended with a refitted winner."""
        return self.state == "ended" and self.study is not None and self.study.final is not None

    def errors(self, name: str) -> ErrorTable | None:
        """Errors on ``validation`` or ``test``: of the final potential, else of the best trial."""
        if self.study is None:
            return None
        table, winner = self.study.final_errors(name), self.winner
        if table is None and winner is not None and name in winner.errors:
            table = ErrorTable.from_json(winner.errors[name])
        return table

    def numbers(self) -> dict[str, float]:
        """Loss and errors by the names of `QUANTITIES`, and ``values.<name>`` of numerical hyperparameters."""
        winner = self.winner
        if winner is None:
            return {}
        found: dict[str, Any] = {"loss": winner.loss}
        for name in SETS:
            table = self.errors(name)
            summary = table.summary() if table is not None else {}
            found |= {f"{name}.{q}_rmse": summary.get(f"{q}_rmse") for q in ("energy", "force")}
        found |= {f"values.{n}": v for n, v in winner.values.items() if _is_number(v)}
        return {n: float(v) for n, v in found.items() if v is not None and math.isfinite(v)}

    def to_json(self) -> dict[str, Any]:
        """The member as scripts see it."""
        winner, numbers = self.winner, self.numbers()
        sets: dict[str, Any] = {}
        for name in SETS:
            row = {f"{q}_rmse": numbers.get(f"{name}.{q}_rmse") for q in ("energy", "force")}
            sets[name] = row if self.errors(name) is not None else None
        trials = self.study.trials if self.study is not None else ()
        return {
            "member": self.name,
            "directory": str(self.directory),
            "seed": self.seed,
            "matrix": dict(self.values),
            "state": self.state,
            "reason": self.reason,
            "trials": sum(t.state.finished and not t.from_prior for t in trials),
            "best": winner.number if winner else None,
            "loss": numbers.get("loss"),
            **sets,
            "values": dict(winner.values) if winner else {},
        }


@dataclass(frozen=True)
class Point:
    """One combination of the matrix with the members that differ by the seed alone."""

    values: Mapping[str, Any]
    members: tuple[MemberResults, ...]
    numbers: tuple[dict[str, float], ...] = field(repr=False)

    @property
    def names(self) -> list[str]:
        """Hyperparameters of the winners."""
        return list(dict.fromkeys(n for m in self.members if m.winner for n in m.winner.values))

    def of(self, quantity: str) -> Statistics:
        """Mean and spread of a quantity of `QUANTITIES` or of ``values.<hyperparameter>``."""
        return Statistics(tuple(row[quantity] for row in self.numbers if quantity in row))

    def counts(self, name: str) -> dict[str, int]:
        """How often each value of a hyperparameter won, where it is not a number."""
        values = [m.winner.values[name] for m in self.members if m.winner and name in m.winner.values]
        return dict(
            Counter(json.dumps(v) if not isinstance(v, str) else v for v in values if not _is_number(v))
        )

    def to_json(self) -> dict[str, Any]:
        """The statistics as scripts see them."""
        found: dict[str, Any] = {
            "matrix": dict(self.values),
            "members": [m.name for m in self.members],
            "n": len(self.members),
            "loss": self.of("loss").to_json(),
        }
        for name in SETS:
            rows = {q: self.of(f"{name}.{q}") for q in ("energy_rmse", "force_rmse")}
            found[name] = (
                {q: s.to_json() for q, s in rows.items()} if any(s.values for s in rows.values()) else None
            )
        found["values"] = {
            n: {"counts": self.counts(n)} if self.counts(n) else self.of(f"values.{n}").to_json()
            for n in self.names
        }
        return found


@dataclass(frozen=True)
class FamilyResults:
    """Everything that is in the folder of a family.

    Attributes
    ----------
    directory
        The folder of the family.
    members
        In the order in which they run.
    matrix
        Key of the study file -> its values.
    repeat
        Number of seeds; None without ``--repeat``.
    """

    directory: Path
    name: str
    members: tuple[MemberResults, ...]
    matrix: Mapping[str, Sequence[Any]]
    repeat: int | None

    @classmethod
    def find(cls, target: str | Path, runs: str | Path = "runs") -> FamilyResults | None:
        """The family that a study file, a folder or a name stands for; None where it is no family."""
        target, runs = Path(target), Path(runs)
        if target.is_file() and target.suffix in (".yaml", ".yml"):
            folders = [runs / read_study(target).config.study]
        else:
            folders = [target, runs / target]
        for folder in folders:
            # An ordinary study of the name wins over a family that is in a later place.
            if (folder / FAMILY_NAME).is_file():
                return cls.open(folder)
            if (folder / STORE_NAME).is_file():
                return None
        return None

    @classmethod
    def open(cls, directory: str | Path) -> FamilyResults:
        """Read a family by its folder; works while it is running.

        Raises
        ------
        InputError
            If ``family.json`` is missing or damaged, or names a folder outside of it.
        """
        directory = Path(directory).resolve()
        content = read_family(directory)
        members = tuple(_member(directory, row) for row in content["members"])
        return cls(directory, str(content["study"]), members, content["matrix"], content["repeat"])

    @property
    def failed(self) -> tuple[MemberResults, ...]:
        """The members that failed."""
        return tuple(m for m in self.members if m.state == "failed")

    @property
    def unfinished(self) -> tuple[MemberResults, ...]:
        """The members that have not ended."""
        return tuple(m for m in self.members if m.state in ("waiting", "running", "interrupted"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the statistics should know."""
        notes = []
        if any(k == "loss" or k.startswith("loss.") for k in self.matrix):
            notes.append("losses do not compare here, since the matrix varies the loss: compare the errors")
        if any(k == "data" or k.startswith("data.") for k in self.matrix):
            notes.append("the members differ in their data: errors compare only on the same structures")
        out = [m.name for m in self.members if not m.counts]
        if out:
            notes.append(f"{len(out)} of {len(self.members)} members are not in the statistics")
        return tuple(notes)

    def statistics(self) -> list[Point]:
        """Mean and spread over the seeds at each point of the matrix; points without a result left out."""
        points: dict[str, tuple[dict[str, Any], list[MemberResults]]] = {}
        for member in self.members:
            if member.counts:
                values = {k: v for k, v in member.values.items() if k != "seed"}
                points.setdefault(json.dumps(values, sort_keys=True), (values, []))[1].append(member)
        return [Point(v, tuple(ms), tuple(m.numbers() for m in ms)) for v, ms in points.values()]

    def to_json(self) -> dict[str, Any]:
        """The object that ``xpot show --json`` prints for a family."""
        return {
            "family": self.name,
            "directory": str(self.directory),
            "matrix": {k: list(v) for k, v in self.matrix.items()},
            "repeat": self.repeat,
            "members": [m.to_json() for m in self.members],
            "statistics": [p.to_json() for p in self.statistics()],
            "failed": [m.name for m in self.failed],
            "units": {k: u for k, u in QUANTITIES.items() if u},
            "notes": list(self.notes),
        }


def read_family(directory: Path) -> dict[str, Any]:
    """The content of ``family.json``.

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    path = directory / FAMILY_NAME
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        keys = {"name", "seed", "values", "state", "reason"}
        if not all(keys <= row.keys() for row in content["members"]) or not isinstance(
            content["matrix"], dict
        ):
            raise ValueError("it lacks what a family has")
        _ = content["study"], content["repeat"]
        for row in content["members"]:
            check_name(row["name"], "members.name")
    except InputError as error:
        raise error.at(file=path) from error
    except FileNotFoundError as error:
        raise InputError("there is no family here", file=path, remedy="xpot run makes it") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"is damaged: {error}", file=path, remedy="remove it and run the same command again"
        ) from error
    return content


def _member(family: Path, row: Mapping[str, Any]) -> MemberResults:
    directory = family / row["name"]
    state, reason, study = str(row["state"]), str(row["reason"]), None
    if (directory / STORE_NAME).is_file():
        try:
            with contextlib.closing(Store(directory / STORE_NAME, readonly=True)) as store:
                if store.owner() is not None:
                    state, reason = "running", ""
            study = StudyResults.open(directory)
        except InputError as error:
            state, reason = state or "interrupted", reason or error.message
    if state not in ("ended", "failed", "running"):
        state = "waiting" if study is None else "interrupted"
    return MemberResults(str(row["name"]), int(row["seed"]), row["values"], state, reason, directory, study)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _none(value: float) -> float | None:
    return None if math.isnan(value) else value
