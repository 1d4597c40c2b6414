"""Which studies a family has: the matrix and the seeds multiplied out, each with a short name."""

from __future__ import annotations

import copy
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xpot_core.errors import InputError
from xpot_core.options import bounds
from xpot_core.study_file.read import StudyFile, set_key, study_from_dict

_LONGEST = 60
_FIXED = {"study": "names the family", "matrix": "cannot stand inside of itself"}


@dataclass(frozen=True)
class Member:
    """One study of a family.

    Attributes
    ----------
    name
        Its folder below that of the family, e.g. ``alpha-0.1.seed-7``.
    seed
        Its seed.
    values
        Key of the study file -> value, for the keys of the matrix.
    """

    name: str
    seed: int
    values: Mapping[str, Any] = field(default_factory=dict)

    def study_file(self, file: StudyFile) -> StudyFile:
        """The study file of this member; its study is called ``family.member``.

        Raises
        ------
        InputError
            If a key of the matrix leads nowhere, or a value makes the file invalid.
        """
        raw = copy.deepcopy({k: v for k, v in file.raw.items() if k != "matrix"})
        raw["seed"] = self.seed
        raw["study"] = f"{file.config.study}.{self.name}"
        try:
            for key, value in self.values.items():
                set_key(raw, key, copy.deepcopy(value))
            made = study_from_dict(raw, file.base)
        except InputError as error:
            # The file is valid without the matrix, so one of its keys is to blame.
            guilty = [k for k in self.values if concerns(error, k)] or list(self.values)
            raise file.located(blamed(error, guilty[0], self.values[guilty[0]])) from error
        return replace(made, path=file.path, text=file.text)


def members_of(file: StudyFile, repeat: int | None = None) -> tuple[Member, ...]:
    """Every combination of the matrix, for each seed.

    All combinations of the first seed come first: they share what depends on the seed, and the
    whole curve stands after the first round.

    Parameters
    ----------
    file
        The study file.
    repeat
        Number of seeds, counted up from that of the study file.

    Raises
    ------
    InputError
        If the matrix is wrong.
    """
    matrix = file.config.matrix
    try:
        _check(matrix, repeat)
    except InputError as error:
        raise file.located(error) from error
    made = math.prod(len(values) for values in matrix.values()) * (repeat or 1)
    if made > bounds.MEMBERS:
        raise InputError(
            f"makes {made} studies, and {bounds.MEMBERS} are the most",
            key="--repeat",
            value=repeat,
            remedy="vary fewer keys, or repeat less often",
        )
    names, texts = short_keys(list(matrix)), {key: _texts(values) for key, values in matrix.items()}
    seeds = [file.config.seed + i for i in range(repeat or 1)]
    members = []
    for seed in seeds:
        for places in itertools.product(*(range(len(values)) for values in matrix.values())):
            chosen = dict(zip(matrix, places, strict=True))
            values = {key: matrix[key][place] for key, place in chosen.items()}
            parts = [f"{names[key]}-{texts[key][place]}" for key, place in chosen.items() if key != "seed"]
            own = values.get("seed", seed)
            members.append(Member(".".join([*parts, f"seed-{own}"]), own, values))
    return tuple(members)


def blamed(error: InputError, key: str, value: Any) -> InputError:
    """The error of a member as one of the key of the matrix that made it."""
    where = f" ({error.key})" if error.key and error.key != key else ""
    return InputError(
        f"makes an invalid study: {error.message}{where}",
        key=f"matrix.{key}",
        value=value,
        remedy=error.remedy or "use a key and values that the study file would accept",
    )


def concerns(error: InputError, key: str) -> bool:
    """Whether an error lies at a key of the study file, above it or below it."""
    where = (error.key or "").removeprefix("matrix.")
    return bool(where) and (where == key or where.startswith(f"{key}.") or key.startswith(f"{where}."))


def value_text(value: Any) -> str:
    """A value of the matrix on one line: ``0.1``, ``true``, ``skopt-gp``, ``initial: 20``."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(value_text(v) for v in value)}]"
    if isinstance(value, dict):
        return ", ".join(f"{k}: {value_text(v)}" if v not in ({}, None) else str(k) for k, v in value.items())
    return str(value)


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """The end of each dotted key, as long as it takes to tell them apart: ``loss.energy-force.alpha`` -> ``alpha``."""
    found = {}
    for key in keys:
        parts = key.split(".")
        for length in range(1, len(parts) + 1):
            name = ".".join(parts[-length:])
            others = [k for k in keys if k != key and (k == name or k.endswith(f".{name}"))]
            taken = name == "seed" and key != "seed"  # the name of a member ends with that of the study
            if not (others or taken or parts[-length].isdigit()):
                break
        found[key] = name
    return found


def _texts(values: Sequence[Any]) -> list[str]:
    """Each value as a part of a file name; a numbered case in place of one that is long or not unique."""
    texts = []
    for value in values:
        text = value_text(value).replace("e+", "e").replace(": ", "-").replace(", ", "_")
        texts.append(re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("_."))
    counts = Counter(text.lower() for text in texts)
    return [
        text if 0 < len(text) <= _LONGEST and counts[text.lower()] == 1 else f"case{i + 1}"
        for i, text in enumerate(texts)
    ]


def _check(matrix: Mapping[str, Sequence[Any]], repeat: int | None) -> None:
    for key, values in matrix.items():
        where, top = f"matrix.{key}", key.split(".")[0]
        if not all(key.split(".")):
            raise InputError(
                "is no key of a study file", key=where, remedy="write e.g. loss.energy-force.alpha"
            )
        if top in _FIXED:
            raise InputError(f"cannot be varied: it {_FIXED[top]}", key=where, remedy="leave it out")
        if key == "seed" and repeat is not None:
            raise InputError(
                "is in the matrix and is varied by --repeat too", key=where, remedy="use one of them"
            )
        inside = [k for k in matrix if k.startswith(f"{key}.")]
        if inside:
            raise InputError(
                f"holds another key of the matrix, {inside[0]}",
                key=where,
                remedy="vary the whole block or the keys inside of it",
            )
        seen: dict[str, Any] = {}
        for value in values:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            text = repr(float(value)) if number else json.dumps(value, sort_keys=True, default=str)
            if text in seen:
                raise InputError(
                    "names a value twice", key=where, value=value, remedy="leave one of them out"
                )
            seen[text] = value
    if "seed" in matrix and any(isinstance(v, bool) or not isinstance(v, int) for v in matrix["seed"]):
        raise InputError(
            "must be whole numbers", key="matrix.seed", value=list(matrix["seed"]), remedy="e.g. [1, 2, 3]"
        )
