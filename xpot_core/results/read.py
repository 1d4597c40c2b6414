"""A study read back: what `show`, `compare`, `report` and `export` work from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xpot_core.errors import InputError
from xpot_core.optimize.objectives import loss_again, pareto
from xpot_core.options.find import option_with
from xpot_core.options.roles import Role
from xpot_core.plugins.registry import load_registry
from xpot_core.results.as_json import trial_json
from xpot_core.results.study_folder import study_directory
from xpot_core.results.tables import notebook_table, trials_table
from xpot_core.space.as_json import space_from_json
from xpot_core.space.parameters import Space
from xpot_core.store.faults import damaged
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.store.stored_shapes import wrong_in_facts
from xpot_core.study_file.read import StudyFile, study_from_dict
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.quantities import ENERGY, FORCE
from xpot_core.types.trials import Trial, best_of
from xpot_core.types.validating import ValidatorRow

_FACTS = (
    "study",
    "base",
    "space",
    "template",
    "identity",
    "versions",
    "data",
    "final",
    "warnings",
    "created",
    "tests",
    "asked_trials",
)


@dataclass(frozen=True, repr=False)
class StudyResults:
    """Everything that is in the store of a study.

    Attributes
    ----------
    directory
        The run folder.
    trials
        In order of number.
    facts
        What the study wrote about itself: ``study``, ``base``, ``space``, ``versions``, ``data``,
        ``final``, ``warnings``.
    """

    directory: Path
    trials: tuple[Trial, ...]
    facts: Mapping[str, Any]

    @classmethod
    def open(cls, target: str | Path, runs: str | Path = "runs") -> StudyResults:
        """Read a study by its file, folder or name; works while it is running."""
        directory = study_directory(target, runs).resolve()
        store = Store(directory / STORE_NAME, readonly=True)
        try:
            stored, trials = store.everything()
            facts = {key: stored.get(key) for key in _FACTS}
            _check_facts(facts, directory / STORE_NAME)
            return cls(directory, tuple(trials), facts)
        finally:
            store.close()

    def again(self) -> StudyResults:
        """The study as its store is now; trials that had ended are not read anew unless some were put back."""
        ended = next((i for i, t in enumerate(self.trials) if not t.state.finished), len(self.trials))
        store = Store(self.directory / STORE_NAME, readonly=True)
        try:
            stored, later = store.since(ended)
            facts = {key: stored.get(key) for key in _FACTS}
        finally:
            store.close()
        if later is None or any(facts[key] != self.facts[key] for key in ("space", "created")):
            return StudyResults.open(self.directory)
        _check_facts(facts, self.directory / STORE_NAME)
        return replace(self, trials=(*self.trials[:ended], *later), facts=facts)

    @property
    def study_file(self) -> StudyFile:
        """The study file as it was run."""
        return study_from_dict(self.facts["study"], self.facts["base"])

    @property
    def asked_trials(self) -> int:
        """How many trials the last run was to make: what the study file says, unless the command said another."""
        return int(self.facts.get("asked_trials") or self.study_file.config.budget.trials)

    @property
    def name(self) -> str:
        """Name of the study."""
        return str(self.facts["study"]["study"])

    @property
    def best(self) -> Trial | None:
        """The trial that won: the smallest loss, or the best of those that pass the physical tests."""
        smallest = best_of(self.trials)
        asked = ((self.final or {}).get("asked") or {}).get("candidates", [])
        if smallest is None or smallest.number not in asked:
            return smallest
        # It was tested with its followers; nothing better has come since.
        return next((t for t in self.trials if t.number == self.final["trial"]), smallest)  # type: ignore[index]

    @property
    def space(self) -> Space:
        """The search space, without the plugin that it belongs to."""
        return space_from_json(self.facts)

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of what was minimised."""
        return tuple(self.study_file.config.objectives)

    @property
    def pareto(self) -> list[Trial]:
        """Trials that no other beats in every objective."""
        return pareto(self.trials, len(self.objectives))

    def best_at(self, alpha: float) -> tuple[Trial, float]:
        """The trial with the smallest loss at another balance of energies and forces, without a new fit.

        Returns
        -------
        trial, loss
            From the error sums that are stored with every trial.

        Raises
        ------
        InputError
            If the loss has no such balance, or no trial holds the sums that it needs.
        """
        config = self.study_file.config
        name, options = next(iter(config.loss.items()))
        registry = load_registry()
        if name not in registry.names("loss") and config.plugins:
            raise InputError(
                f"loss '{name}' is of a plugin file, which commands that only look do not run", key="--alpha"
            )
        balance = option_with(registry.provider("loss", name).options, Role.BALANCE)
        if balance is None:
            raise InputError(
                f"loss '{name}' has no balance of energies and forces", key="--alpha", value=alpha
            )
        loss = registry.create("loss", name, {**options, balance: alpha})
        found = [(t, loss_again(t, loss)) for t in self.trials if t.comparable]
        known = [(t, value) for t, value in found if value is not None]
        if not known:
            raise InputError("no trial holds the error sums that this needs", key="--alpha", value=alpha)
        return min(known, key=lambda pair: (pair[1], pair[0].number))

    def fixed_study(self, trial: Trial) -> dict[str, Any]:
        """The study file with the values of a trial in the place of what is searched, under a name of its own.

        Raises
        ------
        InputError
            If an older version wrote the store, which does not say where the values belong.
        """
        if self.space.template is None:
            raise InputError("this store does not say where values belong", file=self.directory)
        config, of_search = self.study_file.config, ("search", "fidelity", "prior", "start_with", "matrix")
        raw = {k: v for k, v in self.facts["study"].items() if k not in of_search}
        options = self.space.options(trial.values)
        return {**raw, "study": f"{self.name}-best", "fitter": {config.name_of("fitter"): options}}

    @property
    def final(self) -> Mapping[str, Any] | None:
        """The refitted winner: trial, potential, errors, seconds."""
        return self.facts.get("final")

    def final_errors(self, name: str) -> ErrorTable | None:
        """Errors of the refitted winner on ``train``, ``validation`` or ``test``."""
        data = (self.final or {}).get("errors", {}).get(name)
        return None if data is None else ErrorTable.from_json(data)

    def potential(self) -> FittedPotential | None:
        """The refitted winner's potential, wherever the run folder stands now."""
        if self.final is None:
            return None
        return FittedPotential.from_json(
            {**self.final["potential"], "directory": str(self.directory / "best")}
        )

    @property
    def final_tests(self) -> list[ValidatorRow]:
        """What physical tests said about the refitted winner."""
        return [ValidatorRow(**row) for row in (self.final or {}).get("validators", [])]

    def tests_of(self, trial: Trial) -> list[ValidatorRow]:
        """What physical tests said about a trial after the search."""
        if self.final is not None and self.final["trial"] == trial.number:
            return self.final_tests
        return [ValidatorRow(**row) for row in (self.facts.get("tests") or {}).get(str(trial.number), [])]

    def trial(self, which: str | int) -> Trial:
        """A trial by number, or ``best``."""
        if which == "best":
            if self.best is None:
                raise InputError("no trial is complete yet", key="--trial", value=which)
            return self.best
        numbers = {t.number: t for t in self.trials}
        if not str(which).isdigit() or int(which) not in numbers:
            raise InputError(
                "there is no such trial",
                key="--trial",
                value=which,
                remedy=f"use best or a number from 0 to {len(self.trials) - 1}",
            )
        return numbers[int(which)]

    def to_json(self) -> dict[str, Any]:
        """The object that ``xpot show --json`` prints."""
        config = self.study_file.config
        test = self.final_errors("test")
        best = self.best
        return {
            "study": self.name,
            "directory": str(self.directory),
            "fitter": config.name_of("fitter"),
            "optimizer": config.name_of("optimizer"),
            "budget": config.budget.model_dump(),
            "trials": [trial_json(t) for t in self.trials],
            "best": None if best is None else best.number,
            "objectives": list(self.objectives),
            "pareto": [t.number for t in self.pareto] if len(self.objectives) > 1 else None,
            "test": None if test is None else test.summary(),
            "final": None
            if self.final is None
            else {
                "trial": self.final["trial"],
                "errors": {n: ErrorTable.from_json(e).summary() for n, e in self.final["errors"].items()},
                "validators": self.final.get("validators", []),
            },
            "warnings": self.facts.get("warnings") or [],
            "versions": self.facts["versions"],
        }

    def __repr__(self) -> str:
        best = "no winner yet" if self.best is None else f"best trial {self.best.number}"
        return f"<StudyResults {self.name}: {len(self.trials)} trials, {best}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: how the study stands, its errors, the best hyperparameters."""
        best, states = self.best, Counter(str(t.state).lower() for t in self.trials)
        rows = [("trials", ", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "none yet")]
        if best is not None:
            values = {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in best.values.items()}
            rows.append(
                ("smallest loss" if self.final is None else "winner", f"{best.loss:.5g}, trial {best.number}")
            )
            rows.append(("hyperparameters", ", ".join(f"{k} {v}" for k, v in values.items())))
        for name in ("train", "validation", "test"):
            table = self.final_errors(name)
            if table is None and best is not None and name in best.errors:
                table = ErrorTable.from_json(best.errors[name])
            if table is not None and table.total("energy").count + table.total("force").count:
                text = ", ".join(f"{table.shown_rmse(q.name):.3g} {q.unit}" for q in (ENERGY, FORCE))
                rows.append((f"{name} RMSE", text))
        return notebook_table(self.name, rows)

    def to_dataframe(self) -> Any:
        """All trials as a pandas DataFrame, a row each, with number as index.

        Columns are state, loss, each objective's value if there are several, errors in meV/atom and eV/Å
        (``validation energy_rmse`` ...), seconds, worker, failure and each hyperparameter under its name.

        Raises
        ------
        InputError
            If pandas is not installed.
        """
        return trials_table(self.trials, self.objectives)


def _check_facts(facts: Mapping[str, Any], file: Path) -> None:
    """A store is only read from here on: what is damaged in it is told now."""
    if facts["study"] is None:
        raise InputError(
            "the study ended before it began: nothing is in it", file=file, remedy="run it again"
        )
    wrong = wrong_in_facts(facts)
    if wrong is not None:
        raise damaged(file, f"the fact {wrong!r} is none that a study writes")
