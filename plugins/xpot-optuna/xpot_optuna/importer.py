"""Importer ``optuna``: the trials of a study of Optuna become the prior of a study file."""

from __future__ import annotations

import csv
import os.path
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpot_core.api import ImportedStudy, InputError, NoOptions, fitter_options, nearest

if TYPE_CHECKING:
    import optuna

_MOST_STEPS = 50
"""Values of a range with steps that are listed one by one: a study file has no steps."""
_URL = re.compile(r"[a-z]+(\+[a-z0-9]+)?://", re.ASCII)


class OptunaImporter:
    """Reads storages of Optuna: databases and journal files."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def load(self, source: str) -> ImportedStudy:
        """Translate ``sqlite:///x.db``, another database, or a journal file; ``#NAME`` behind it names the study.

        Raises
        ------
        InputError
            If there is no such study, or its names are those of no fitter.
        """
        study = _study(source)
        # what is pruned has the value of an early step, which is no loss
        done = [t for t in study.trials if t.state.name == "COMPLETE" and len(t.values) == 1]
        if len(study.directions) != 1 or not done:
            raise InputError("has no finished trials with one value", value=source)
        sign = -1.0 if study.direction.name == "MAXIMIZE" else 1.0
        given: dict[str, list[Any]] = {}
        for trial in done:
            for name, distribution in trial.distributions.items():
                given.setdefault(name, []).append(distribution)
        ranges = {name: _range(distributions) for name, distributions in given.items()}
        fitter, options, others = _options(ranges, source)
        names = [name for name in ranges if name not in others]
        stem = re.sub(r"[^A-Za-z0-9_.-]", "-", study.study_name)
        table = Path(f"{stem}_prior.csv")
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["loss", *names])
            for trial in done:
                writer.writerow([sign * trial.values[0], *(trial.params.get(name, "") for name in names)])
        notes = [
            f"{len(done)} trials of {study.study_name} were written to {table}; they guide the search and cannot win.",
            "Name the data, and give the other options the values that they had: their defaults are taken else.",
        ]
        lists = [name for name in names if name.partition(".")[2][:1].isdigit()]
        if lists:
            notes.append(f"Write the lists of {', '.join(lists)} yourself; the table has their values.")
        if others:
            notes.append(f"The fitter {fitter} has no {', '.join(others)}: left out.")
        return ImportedStudy(
            {
                "study": stem,
                "data": {"train": "train.xyz"},
                "fitter": {fitter: options},
                "optimizer": {"optuna-tpe": {}},
                "prior": [str(table)],
                "budget": {"trials": 50},
            },
            tuple(notes),
        )


def recognises(source: str) -> bool:
    """Whether a text is the address of a database, or names a journal file of Optuna."""
    if _URL.match(source):
        return source.startswith(("sqlite", "mysql", "postgresql"))
    try:
        with open(source.partition("#")[0], encoding="utf-8", errors="replace") as file:
            return file.read(200).startswith('{"op_code":')
    except (OSError, ValueError):
        return False


def _study(source: str) -> optuna.Study:
    address, _, name = source.partition("#")
    path = address.removeprefix("sqlite:///")
    local = path != address or not _URL.match(address)
    if local and (not path or not os.path.isfile(path)):
        raise InputError(
            "is no storage of Optuna", value=source, remedy="write sqlite:///FILE.db, or a journal file"
        )
    if not _URL.match(address) and not recognises(address):
        raise InputError("is no journal file of Optuna", file=path)
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        storage = (
            optuna.storages.get_storage(address)
            if _URL.match(address)
            else JournalStorage(JournalFileBackend(address))
        )
        known = [s.study_name for s in optuna.get_all_study_summaries(storage)]
    except Exception as error:  # of the database, of its driver, or of Optuna
        raise InputError(f"cannot be read: {error}", value=source) from error
    if name not in known and (name or len(known) != 1):
        raise InputError(
            f"holds the studies {', '.join(known) or 'of nobody'}",
            value=source,
            remedy=nearest(name, known) if name else f"name one: {address}#NAME",
        )
    return optuna.load_study(study_name=name or known[0], storage=storage)


def _range(distributions: Sequence[Any]) -> dict[str, Any]:
    """What holds the values of all trials, since a range may change in the course of a study."""
    if any(hasattr(d, "choices") for d in distributions):
        return {"choices": list(dict.fromkeys(c for d in distributions for c in getattr(d, "choices", ())))}
    low, high = min(d.low for d in distributions), max(d.high for d in distributions)
    last = distributions[-1]
    steps = (high - low) / (last.step or high - low or 1)
    if low == high or (last.step not in (None, 1) and steps <= _MOST_STEPS):
        return {"choices": [low + i * (last.step or 1) for i in range(round(steps) + 1)]}
    return {"min": low, "max": high, "log": last.log}


def _options(ranges: Mapping[str, Any], source: str) -> tuple[str, dict[str, Any], list[str]]:
    """The fitter that has most of the names, its options, and the names that it has not."""
    known = fitter_options()
    counts = {f: sum(name.split(".")[0] in m.model_fields for name in ranges) for f, m in known.items()}
    fitter = max(counts, key=lambda name: counts[name], default="")
    if not fitter or not counts[fitter]:
        raise InputError(
            f"none of {', '.join(ranges)} is an option of a fitter that is installed",
            value=source,
            remedy="name the parameters of the study as the options of a fitter: rcutfac, eweight.Liquid",
        )
    options: dict[str, Any] = {}
    others = []
    for name, values in ranges.items():
        first, *rest = name.split(".", 1)
        if first not in known[fitter].model_fields:
            others.append(name)
        elif rest and not rest[0][0].isdigit():
            options.setdefault(first, {})[rest[0]] = values
        elif rest:
            continue  # of a list, whose other members are not known
        else:
            options[first] = values
    return fitter, options, others
