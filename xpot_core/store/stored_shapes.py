"""What trials and facts look like when a study wrote them: content with a right checksum may come from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from xpot_core.types.learning_curve import CurvePoint
from xpot_core.types.trials import InnerSearchResult, Trial
from xpot_core.types.validating import ValidatorRow

Check = Callable[[Any], bool]


def number(value: Any) -> bool:
    """Whether it is a number; JSON's booleans are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _maybe_number(value: Any) -> bool:
    return value is None or number(value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _table(value: Any, *inner: Check) -> bool:
    """A mapping whose members pass; more checks go one level deeper each."""
    if not isinstance(value, Mapping):
        return False
    if len(inner) > 1:
        return all(_table(member, *inner[1:]) for member in value.values())
    return all(inner[0](member) for member in value.values())


def _list(value: Any, inner: Check) -> bool:
    return isinstance(value, list | tuple) and all(inner(member) for member in value)


def _sums(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and number(value[0]) and _list(value, _maybe_number)


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def errors(value: Any) -> bool:
    """Set -> quantity -> group -> count, sum of squares, sum of absolutes."""
    return _table(value, _table_of_sums)


def _table_of_sums(value: Any) -> bool:
    return _table(value, lambda row: _table(row, lambda cell: _sums(cell) and number(cell[1])))


def _report(value: Any) -> bool:
    """Row of a validator."""
    return (
        isinstance(value, Mapping)
        and value.keys() <= _names(ValidatorRow)
        and _text(value.get("validator"))
        and value.get("passed") in (True, False, None)
        and _text(value.get("summary", ""))
        and isinstance(value.get("values", {}), Mapping)
        and _table(value.get("units", {}), _text)
        and _table(value.get("tables") or {}, lambda columns: _table(columns, lambda c: isinstance(c, list)))
    )


def wrong_in_trial(trial: Trial) -> str | None:
    """Name of the part of a trial that no trial writes; None where all is well."""
    failure = trial.failure
    checks: dict[str, bool] = {
        "values": isinstance(trial.values, Mapping),
        "parts": _table(trial.parts, _maybe_number),
        "errors": errors(trial.errors),
        "seconds": _table(trial.seconds, number),
        "objectives": _list(trial.objectives, _maybe_number),
        "notes": _list(trial.notes, _text),
        "failure": failure is None
        or all(map(_text, (failure.stage, failure.plugin, failure.message, failure.hint, failure.log_tail))),
        "potential": trial.potential is None or isinstance(trial.potential, Mapping),
        "optimizer": _text(trial.optimizer),
        "worker": _text(trial.worker),
        "started": _maybe_number(trial.started),
        "finished": _maybe_number(trial.finished),
        "fidelity": _maybe_number(trial.fidelity),
    }
    return next((name for name, sound in checks.items() if not sound), None)


def wrong_in_extra(extra: Mapping[str, Any]) -> str | None:
    """The same for what only some trials have: its named parts, before they become fields."""
    checks: dict[str, bool] = {
        "inner": not extra.get("inner") or _inner(extra["inner"]),
        "validators": _list(extra.get("validators") or [], _report),
        "loss": _maybe_number(extra.get("loss")),
        "curve": _list(extra.get("curve") or [], _point),
        "prior": not extra.get("prior") or _prior(extra["prior"]),
        "promoted_from": _maybe_number(extra.get("promoted_from")),
        "inner_start": isinstance(extra.get("inner_start") or {}, Mapping),
        "metadata": isinstance(extra.get("metadata", {}), Mapping),
    }
    return next((name for name, sound in checks.items() if not sound), None)


def _inner(value: Any) -> bool:
    """What an inner search found."""
    return (
        isinstance(value, Mapping)
        and value.keys() == _names(InnerSearchResult)
        and _table(value["values"], number)
        and _maybe_number(value["default_loss"])
        and all(_text(value[name]) for name in ("method", "stopped"))
        and number(value["evaluations"])
    )


def _point(value: Any) -> bool:
    """Point of a learning curve."""
    return (
        isinstance(value, Mapping)
        and value.keys() <= _names(CurvePoint)
        and number(value.get("step"))
        and _table(value.get("errors", {}), _maybe_number)
        and _maybe_number(value.get("loss"))
        and _maybe_number(value.get("fold"))
    )


def _prior(value: Any) -> bool:
    """Which trial of which study it was."""
    return isinstance(value, Mapping) and _text(value.get("study")) and number(value.get("trial"))


def wrong_in_facts(facts: Mapping[str, Any]) -> str | None:
    """Name of the fact that no study writes; None where all is well."""
    final = facts.get("final")
    rows = {"group": _text, "structures": number, "atoms": number, "virials": number}

    def group(row: Any) -> bool:
        return isinstance(row, Mapping) and all(check(row.get(key)) for key, check in rows.items())

    def parameter(row: Any) -> bool:
        return isinstance(row, Mapping) and _text(row.get("name")) and _text(row.get("kind"))

    checks: dict[str, bool] = {
        "study": isinstance(facts.get("study"), dict),
        "base": _text(facts.get("base")),
        "versions": _table(facts.get("versions") or {}, _text),
        "data": _table(facts.get("data") or {}, lambda table: _list(table, group)),
        "space": _list(facts.get("space") or [], parameter),
        "identity": isinstance(facts.get("identity") or {}, dict),
        "warnings": _list(facts.get("warnings") or [], _text),
        "created": _maybe_number(facts.get("created")),
        "asked_trials": _maybe_number(facts.get("asked_trials")),
        "tests": _table(facts.get("tests") or {}, lambda tests: _list(tests, _report)),
        "priors": _list(facts.get("priors") or [], _text),
        "final": not final or _final(final),
    }
    return next((name for name, sound in checks.items() if not sound), None)


def _final(final: Any) -> bool:
    if not isinstance(final, Mapping):
        return False
    potential, asked = final.get("potential"), final.get("asked") or {}
    return (
        number(final.get("trial"))
        and isinstance(potential, Mapping)
        and potential.keys() >= {"format", "files", "elements", "notes"}
        and _table(potential["files"], _text)
        and _table(potential.get("sha256", {}), _text)
        and _list(potential["elements"], _text)
        and _list(potential["notes"], _text)
        and errors(final.get("errors"))
        and _table(final.get("seconds") or {}, number)
        and _list(final.get("validators") or [], _report)
        and _table(final.get("repeats") or {}, lambda losses: isinstance(losses, list))
        and isinstance(asked, Mapping)
        and _list(asked.get("candidates") or [], number)
        and _table(final.get("files") or {}, _text)
    )
